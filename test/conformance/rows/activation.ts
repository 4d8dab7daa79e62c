import { ContentFormat } from "../../../shared/coap/index.ts";
import { expect, idOf } from "../answer.ts";
import { activate, another, offered, sendAik, sendEk, sendMeta } from "../flows.ts";
import { flipped } from "../platform.ts";
import type { Row } from "../row.ts";

const SOURCE = "docs/api.md, Resources";

export const activationRows: readonly Row[] = [
  {
    id: "AC-01",
    title: "the right secret opens a provisioning context",
    source: SOURCE,
    state: "owned",
    async run({ me, machine, by }) {
      const answer = await activate(me, await offered(me, machine));
      idOf(expect(answer, { code: "2.01", bytes: 0, format: by(ContentFormat.OctetStream, "none") }));
    },
  },
  {
    id: "AC-02",
    title: "a wrong secret is refused",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const { secret, ...ids } = await offered(me, machine);
      expect(await activate(me, { ...ids, secret: flipped(secret) }), "4.03");
    },
  },
  {
    id: "AC-03",
    title: "an empty secret, a shorter and a longer one are refused",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      for (const change of [() => [], (s: number[]) => s.slice(1), (s: number[]) => [...s, 0]]) {
        const { secret, ...ids } = await offered(me, machine);
        expect(await activate(me, { ...ids, secret: Uint8Array.from(change([...secret])) }), "4.03");
      }
    },
  },
  {
    id: "AC-04",
    title: "an AIK that was offered with another EK is refused",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const [one, other] = [await offered(me, machine), await offered(me, machine)];
      expect(await activate(me, { ek: one.ek, aik: other.aik, secret: other.secret }), "4.03");
    },
  },
  {
    id: "AC-05",
    title: "the secret of another challenge is refused",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const ek = await sendEk(me, machine);
      const [one, other] = [await sendAik(me, machine, ek), await sendAik(me, machine, ek)];
      expect(await activate(me, { ek, aik: other.aik, secret: await machine.activate(one.challenge) }), "4.03");
    },
  },
  {
    id: "AC-06",
    title: "an EK id that was never given is unknown",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const one = await offered(me, machine);
      expect(await activate(me, { ...one, ek: another(one.ek) }), "4.04");
    },
  },
  {
    id: "AC-07",
    title: "an AIK id that was never given is unknown",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const one = await offered(me, machine);
      expect(await activate(me, { ...one, aik: another(one.aik) }), "4.04");
    },
  },
  {
    id: "AC-08",
    title: "the ids of another session are unknown",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run(scene) {
      const { me, machine } = scene;
      await offered(me, machine);
      expect(await activate(me, await offered(await scene.peer(), machine)), "4.04");
    },
  },
  {
    id: "AC-09",
    title: "success uses both ids up",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const one = await offered(me, machine);
      expect(await activate(me, one), "2.01");
      expect(await activate(me, one), "4.04");
      const fresh = await offered(me, machine);
      expect(await activate(me, { ...fresh, ek: one.ek }), "4.04");
    },
  },
  {
    id: "AC-10",
    title: "failure uses both ids up: a secret is guessed once",
    source: SOURCE,
    state: "owned",
    async run({ me, machine }) {
      const one = await offered(me, machine);
      expect(await activate(me, { ...one, secret: flipped(one.secret) }), "4.03");
      expect(await activate(me, one), "4.04");
    },
  },
  {
    id: "AC-11",
    title: "of nine contexts in a session the oldest gives way",
    source: "docs/api.md, Sessions",
    state: "owned",
    async run({ me, machine, platform }) {
      const made = await platform();
      const ids: number[] = [];
      for (let i = 0; i < 9; i++) ids.push(idOf(await activate(me, await offered(me, machine))));
      const [first = 0, second = 0] = ids;
      expect(await sendMeta(me, first, made), "4.04");
      expect(await sendMeta(me, second, made), "2.01");
    },
  },
];
