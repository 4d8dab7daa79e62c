import type { FrameLink } from "../../../shared/ports/index.ts";

/** The computer's end of the stick's link. It outlives the sticks: what runs on the computer does not notice another one, only silence. */
export interface Cable {
  readonly link: FrameLink;
  /** What the computer sends goes to this stick from now on, and only what this one sends arrives. */
  connect(stick: FrameLink): void;
  /** To and from nobody. */
  disconnect(): void;
}

export function createCable(mtu: number): Cable {
  const listeners = new Set<(frame: Uint8Array) => void>();
  let stick: FrameLink | undefined;
  let leave: () => void = () => undefined;
  const disconnect = (): void => {
    leave();
    leave = () => undefined;
    stick = undefined;
  };
  return {
    link: {
      mtu,
      send: (frame) => stick?.send(frame),
      onFrame(listener) {
        const own = (frame: Uint8Array) => listener(frame);
        listeners.add(own);
        return () => void listeners.delete(own);
      },
      close: async () => disconnect(),
    },
    connect(next) {
      disconnect();
      stick = next;
      leave = next.onFrame((frame) => {
        for (const listener of [...listeners]) listener(frame);
      });
    },
    disconnect,
  };
}
