/** A computer whose TPM is the emulator in this process, with the attester's program on it, and a token that has it enrolled. */
import assert from "node:assert/strict";
import { bootMeasured, measurementsOf, sampleLaunch } from "../../attester/dlme/index.ts";
import {
  createTokenWire,
  createV1Attester,
  encodeMetadata,
  readRim,
  type V1Attester,
} from "../../attester/flows/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { createTpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { encode } from "../../shared/bytes/index.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import type { DatagramPort, Peer } from "../../shared/ports/index.ts";
import { Tpm2bPublic } from "../../shared/tpm/index.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { type DirectToken, directToken, provision, SILENT } from "./prepared.ts";

const COMPUTER: Peer = { address: "169.254.0.8", port: 40_000 };
const ENV = { random: systemRandom, clock: realClock, log: SILENT };

export interface Machine {
  readonly attester: V1Attester;
  close(): Promise<void>;
}

export async function machineWithTpm(): Promise<Machine> {
  const { transport, platform } = createTpmEmulator(ENV);
  const tpm = createTpmClient(transport, ENV);
  await tpm.startUp({ platform, own: true });
  const { firmware = [] } = APU2;
  const booted = await bootMeasured(tpm, platform, measurementsOf({ firmware, launch: sampleLaunch({}) }), "orderly");
  assert.ok(booted.ok);
  const aik = await tpm.ensureAik("restricted-rsa", await tpm.ensureEk("rsa"));

  const direct = directToken({ flash: createRamFlash(), ...ENV });
  const { domain } = direct.token;
  provision(domain, new FakeOwner());
  const judged = domain.judgeAik(encode(Tpm2bPublic, aik.publicArea));
  assert.ok(judged.ok);
  const shown = { aik: judged.value, metadata: encodeMetadata(APU2), rim: await readRim(tpm) };
  assert.ok(domain.enrol(shown).ok);

  const port = portTo(direct);
  const endpoint = createEndpoint({ port, ...ENV });
  const wire = createTokenWire({ endpoint, token: direct.peer, log: SILENT });
  return {
    attester: createV1Attester({ wire, tpm, platform: APU2, key: "rsa", log: SILENT, clock: realClock }),
    async close() {
      endpoint.close();
      direct.stop();
      await transport.close();
    },
  };
}

/** The other end of a token's datagrams: nothing takes time but what both do. */
function portTo(token: DirectToken): DatagramPort {
  let deliver: (datagram: Uint8Array, from: Peer) => void = () => undefined;
  return {
    local: COMPUTER,
    send: (datagram) => queueMicrotask(() => deliver(token.ask(datagram, COMPUTER), token.peer)),
    onDatagram(listener) {
      deliver = listener;
      return () => undefined;
    },
    close: async () => undefined,
  };
}
