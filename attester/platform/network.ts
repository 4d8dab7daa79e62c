/** Which network card names the platform: the on-board one, as far as it can be told. */

/** A network interface as the operating system shows it. */
export interface NetworkInterface {
  readonly name: string;
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** `domain:bus:device.function` of the PCI function it hangs on, hexadecimal; undefined for USB and virtual interfaces. */
  readonly pci?: string | undefined;
}

const PCI_ADDRESS = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i;

/** One number that orders PCI functions by domain, bus, device, function; undefined when the text is not such an address. */
function pciOrder(address: string): number | undefined {
  const parts = PCI_ADDRESS.exec(address)?.slice(1);
  if (parts === undefined) return undefined;
  const [domain = 0, bus = 0, device = 0, func = 0] = parts.map((part) => Number.parseInt(part, 16));
  return ((domain * 0x100 + bus) * 0x20 + device) * 8 + func;
}

function isUsable(mac: Uint8Array): boolean {
  return mac.byteLength === 6 && mac.some((byte) => byte !== 0);
}

/**
 * The PCI network card with the lowest bus, device and function. USB cards (the token itself is one) and virtual interfaces
 * come and go, so they never name a platform. Of several interfaces of one function the first by name. Undefined: there is none.
 */
export function selectNetworkCard(interfaces: readonly NetworkInterface[]): NetworkInterface | undefined {
  const ordered = interfaces
    .filter((card) => isUsable(card.mac))
    .map((card) => ({ card, order: card.pci === undefined ? undefined : pciOrder(card.pci) }))
    .filter((entry): entry is { card: NetworkInterface; order: number } => entry.order !== undefined)
    .sort((a, b) => a.order - b.order || (a.card.name < b.card.name ? -1 : 1));
  return ordered[0]?.card;
}
