/** Those that take what strangers send, and remember it. */
import type { Target } from "../target.ts";
import { coapEndpoint } from "./coap-endpoint.ts";
import { eemReceivers } from "./eem-receiver.ts";
import { ipHost } from "./ip-host.ts";
import { tokenV0 } from "./token-v0.ts";
import { tokenV1 } from "./token-v1.ts";
import { tpmEmulator } from "./tpm-emulator.ts";

export const receivers: readonly Target[] = [tokenV1, tokenV0, tpmEmulator, coapEndpoint, ipHost, ...eemReceivers];
