/** Every decoder once, by what it reads. */
import type { Decoder } from "./decoder.ts";
import { captureDecoders } from "./decoders/capture.ts";
import { certificateDecoders } from "./decoders/certificates.ts";
import { eventLogDecoders } from "./decoders/event-logs.ts";
import { fileDecoders } from "./decoders/files.ts";
import { linkDecoders } from "./decoders/link.ts";
import { messageDecoders } from "./decoders/messages.ts";
import { osDecoders } from "./decoders/os.ts";
import { tpmDecoders } from "./decoders/tpm.ts";
import { tpmServerDecoders } from "./decoders/tpm-server.ts";
import { usbipDecoders } from "./decoders/usbip.ts";
import { usbredirDecoders } from "./decoders/usbredir.ts";
import { v1MessageDecoders } from "./decoders/v1-messages.ts";
import { dictionary } from "./dictionary.ts";

export interface Family {
  /** The file of its corpus. */
  readonly name: string;
  readonly decoders: readonly Decoder[];
  readonly tokens: readonly Uint8Array[];
}

export const families: readonly Family[] = [
  { name: "files", decoders: [...fileDecoders, ...osDecoders], tokens: dictionary.files },
  { name: "link", decoders: linkDecoders, tokens: dictionary.link },
  {
    name: "buses",
    decoders: [...usbipDecoders, ...usbredirDecoders, ...captureDecoders, ...tpmServerDecoders],
    tokens: dictionary.buses,
  },
  { name: "messages", decoders: [...messageDecoders, ...v1MessageDecoders], tokens: dictionary.cbor },
  { name: "certificates", decoders: certificateDecoders, tokens: dictionary.der },
  { name: "event-logs", decoders: eventLogDecoders, tokens: dictionary.logs },
  { name: "tpm", decoders: tpmDecoders, tokens: dictionary.tpm },
];

export const inventory: readonly Decoder[] = families.flatMap(({ decoders }) => decoders);
