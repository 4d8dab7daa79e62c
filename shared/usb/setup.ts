import { type Infer, struct, u8, u16le } from "../bytes/index.ts";

/** USB 2.0, 9.3. In the names of the standard. */
export const SetupPacket = struct("setup", {
  bmRequestType: u8,
  bRequest: u8,
  wValue: u16le,
  wIndex: u16le,
  /** How many bytes the data stage has, or may have when the device sends them. */
  wLength: u16le,
});
export type SetupPacket = Infer<typeof SetupPacket>;

/** Bits of bmRequestType (table 9-2). */
export const RequestType = { In: 0x80, TypeMask: 0x60, Standard: 0x00, RecipientMask: 0x1f } as const;
export const Recipient = { Device: 0, Interface: 1, Endpoint: 2 } as const;

/** bRequest of the standard requests (table 9-4). */
export const Request = {
  GetStatus: 0,
  ClearFeature: 1,
  SetFeature: 3,
  SetAddress: 5,
  GetDescriptor: 6,
  SetDescriptor: 7,
  GetConfiguration: 8,
  SetConfiguration: 9,
  GetInterface: 10,
  SetInterface: 11,
  SynchFrame: 12,
} as const;

/** Table 9-6. */
export const Feature = { EndpointHalt: 0, DeviceRemoteWakeup: 1, TestMode: 2 } as const;

/** Table 9-5. */
export const DescriptorType = {
  Device: 1,
  Configuration: 2,
  String: 3,
  Interface: 4,
  Endpoint: 5,
  DeviceQualifier: 6,
} as const;

/** US English, the one language we speak. */
export const LANGUAGE_ID = 0x0409;
