/** How a confirmable message is repeated: RFC 7252, sections 4.2 and 4.8. */
export interface Transmission {
  /** ACK_TIMEOUT: how long the first sending waits for an answer, at least. */
  readonly ackTimeoutMs: number;
  /** ACK_RANDOM_FACTOR: the first wait is drawn between ackTimeoutMs and this many times it. 1: no jitter, nothing drawn. */
  readonly ackRandomFactor: number;
  /** MAX_RETRANSMIT: sendings after the first. */
  readonly maxRetransmit: number;
  /** What each wait is multiplied by for the next; the standard's is 2. */
  readonly backoffFactor: number;
  /** How long a client waits for a response after an empty ACK, or to a non-confirmable request. */
  readonly responseTimeoutMs: number;
}

/** MAX_TRANSMIT_WAIT, section 4.8.2, of the values below. */
const MAX_TRANSMIT_WAIT_MS = 93_000;

export const DEFAULT_TRANSMISSION: Transmission = {
  ackTimeoutMs: 2_000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  backoffFactor: 2,
  responseTimeoutMs: MAX_TRANSMIT_WAIT_MS,
};

/** EXCHANGE_LIFETIME and NON_LIFETIME, section 4.8.2: how long a message id stays taken. */
export const EXCHANGE_LIFETIME_MS = 247_000;
export const NON_LIFETIME_MS = 145_000;

export interface CoapLimits {
  /** The largest body, put together from blocks or not, that is taken from a peer in either role. */
  readonly bodyBytes: number;
  /** The largest block that the server sends or asks for. */
  readonly blockExponent: number;
  /**
   * Messages remembered for duplicate detection: so many of all strangers together, and so many again of those that are held, and of those that
   * are held first. Under 65,536, so that a fast peer's ids may come round.
   */
  readonly rememberedMessages: number;
  /** Peers with any state. Those idle longest are forgotten first. */
  readonly peers: number;
  /** Handlers running at the same time, and their separate responses that were not acknowledged yet; over it 5.03. */
  readonly runningRequests: number;
  /** Requests of the client that are open or wait for their turn; over it `busy`. */
  readonly openRequests: number;
  /** NSTART, section 4.7: requests to one peer that may be under way at the same time. */
  readonly nstart: number;
  /** Bodies being received in blocks, all peers together and for each. See makeRoom for which gives way, and to whom. */
  readonly uploads: number;
  readonly uploadsOfPeer: number;
  /** Responses kept because their later blocks may be asked for, all peers together and for each. */
  readonly downloads: number;
  readonly downloadsOfPeer: number;
  /** How long an unfinished block-wise transfer is kept after its last block. */
  readonly transferLifetimeMs: number;
  /** A request not answered by then gets an empty ACK and a separate response later. Well under the one second that impatient peers wait. */
  readonly ackDelayMs: number;
}

export const DEFAULT_LIMITS: CoapLimits = {
  bodyBytes: 65_536,
  blockExponent: 6,
  rememberedMessages: 2_048,
  peers: 256,
  runningRequests: 64,
  openRequests: 64,
  nstart: 1,
  uploads: 16,
  uploadsOfPeer: 4,
  downloads: 16,
  downloadsOfPeer: 4,
  transferLifetimeMs: EXCHANGE_LIFETIME_MS,
  ackDelayMs: 500,
};
