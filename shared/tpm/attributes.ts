/** Words of flags, Part 2, chapter 8, 9 and 13. Reserved bits that are set make the structure malformed. */
import { flags, type Infer, u8, u32be } from "../bytes/index.ts";

/** TPMA_OBJECT, Part 2, 8.3. */
export const TpmaObjectBit = {
  FIXED_TPM: 0x0000_0002,
  ST_CLEAR: 0x0000_0004,
  FIXED_PARENT: 0x0000_0010,
  SENSITIVE_DATA_ORIGIN: 0x0000_0020,
  USER_WITH_AUTH: 0x0000_0040,
  ADMIN_WITH_POLICY: 0x0000_0080,
  NO_DA: 0x0000_0400,
  ENCRYPTED_DUPLICATION: 0x0000_0800,
  RESTRICTED: 0x0001_0000,
  DECRYPT: 0x0002_0000,
  SIGN: 0x0004_0000,
  X509_SIGN: 0x0008_0000,
} as const;

export const TpmaObject = flags(u32be, 0x000f_0cf6);
export type TpmaObject = Infer<typeof TpmaObject>;

/** TPMA_SESSION, Part 2, 8.4. */
export const TpmaSessionBit = {
  CONTINUE_SESSION: 0x01,
  AUDIT_EXCLUSIVE: 0x02,
  AUDIT_RESET: 0x04,
  DECRYPT: 0x20,
  ENCRYPT: 0x40,
  AUDIT: 0x80,
} as const;

export const TpmaSession = flags(u8, 0xe7);

/** TPMA_LOCALITY, Part 2, 8.5: bit n is locality n for 0..4; 32 and above are extended localities. */
export const TpmaLocality = u8;

/** TPMA_NV, Part 2, 13.4. Bits 4 to 7 are TPM_NT, the type of the index; 0 is an ordinary one. */
export const TpmaNvBit = {
  PPWRITE: 0x0000_0001,
  OWNERWRITE: 0x0000_0002,
  AUTHWRITE: 0x0000_0004,
  POLICYWRITE: 0x0000_0008,
  POLICY_DELETE: 0x0000_0400,
  WRITELOCKED: 0x0000_0800,
  WRITEALL: 0x0000_1000,
  WRITEDEFINE: 0x0000_2000,
  WRITE_STCLEAR: 0x0000_4000,
  GLOBALLOCK: 0x0000_8000,
  PPREAD: 0x0001_0000,
  OWNERREAD: 0x0002_0000,
  AUTHREAD: 0x0004_0000,
  POLICYREAD: 0x0008_0000,
  NO_DA: 0x0200_0000,
  ORDERLY: 0x0400_0000,
  CLEAR_STCLEAR: 0x0800_0000,
  READLOCKED: 0x1000_0000,
  WRITTEN: 0x2000_0000,
  PLATFORMCREATE: 0x4000_0000,
  READ_STCLEAR: 0x8000_0000,
} as const;

export const TpmaNv = flags(u32be, 0xfe0f_fcff);
