import type { Clock, Unsubscribe } from "../ports/index.ts";
import { Upload } from "./block1-client.ts";
import { Download, wholeResponse } from "./block2-client.ts";
import { Code, isSuccess, methodCode } from "./code.ts";
import { CoapError, type CoapFailure } from "./error.ts";
import type { ExchangeLayer } from "./exchange.ts";
import { type CoapMessage, MessageType, NO_BYTES } from "./message.ts";
import { type CoapOption, OptionNumber, optionName, refusedOption } from "./option.ts";
import type { Transmission } from "./parameters.ts";
import type { PeerRecord } from "./peers.ts";
import { blockExponentOf, type ClientRequest, type CoapOutcome, requestOptions } from "./request.ts";
import type { Outgoing, TransmissionSink } from "./transmitter.ts";

/** What an operation needs of the client that it belongs to. */
export interface OperationHost {
  readonly layer: ExchangeLayer;
  readonly clock: Clock;
  readonly transmission: Transmission;
  /** Calls `transmit` once fewer than NSTART operations with the peer are under way. */
  wantTurn(operation: Operation): void;
  endTurn(operation: Operation): void;
  ended(operation: Operation): void;
}

/** Critical options that may stand in a response. */
const UNDERSTOOD: ReadonlySet<number> = new Set([OptionNumber.Block1, OptionNumber.Block2]);

/** One request of the client with all its blocks, until its outcome. All its messages carry the same CoAP token. */
export class Operation implements TransmissionSink {
  readonly peer: PeerRecord;
  readonly coapToken: Uint8Array;
  readonly #host: OperationHost;
  readonly #request: ClientRequest;
  readonly #options: readonly CoapOption[];
  readonly #how: Transmission;
  readonly #onDone: (outcome: CoapOutcome) => void;
  readonly #upload: Upload;
  #download: Download;
  #downloadRestarts = 0;
  #outgoing: Outgoing | undefined;
  #stopWaiting: Unsubscribe | undefined;
  #stopDeadline: Unsubscribe | undefined;
  #done = false;

  constructor(
    host: OperationHost,
    peer: PeerRecord,
    request: ClientRequest,
    coapToken: Uint8Array,
    onDone: (outcome: CoapOutcome) => void,
  ) {
    this.#host = host;
    this.peer = peer;
    this.#request = request;
    this.coapToken = coapToken;
    this.#onDone = onDone;
    this.#options = requestOptions(request);
    this.#how =
      request.transmission === undefined ? host.transmission : { ...host.transmission, ...request.transmission };
    const exponent = blockExponentOf(request);
    this.#upload = new Upload(request.payload ?? NO_BYTES, exponent);
    this.#download = this.#newDownload();
  }

  begin(): void {
    const { timeoutMs } = this.#request;
    if (timeoutMs !== undefined) {
      this.#stopDeadline = this.#host.clock.after(timeoutMs, () =>
        this.fail("timeout", `no response in ${timeoutMs} ms`),
      );
    }
    this.#host.wantTurn(this);
  }

  /** Sends what is next. */
  transmit(): void {
    const options = [...this.#options];
    const payload = this.#nextPayload(options);
    const type = this.#request.confirmable === false ? MessageType.Non : MessageType.Con;
    const message = { type, code: methodCode(this.#request.method), coapToken: this.coapToken, options, payload };
    this.#outgoing = this.#host.layer.send(this.peer, message, this, this.#how);
  }

  /** RFC 7252, section 5.4.1: a response with a critical option that is not understood is rejected. */
  understands(message: CoapMessage): boolean {
    return refusedOption(message.options, UNDERSTOOD) === undefined;
  }

  acknowledged(): void {
    this.#outgoing = undefined;
    this.#stopWaiting = this.#host.clock.after(this.#how.responseTimeoutMs, () => this.timedOut());
  }

  answered(message: CoapMessage): void {
    this.#receive(message, true);
  }

  answeredSeparately(message: CoapMessage): void {
    this.#receive(message, false);
  }

  reset(): void {
    this.fail("reset", "the peer answered RST");
  }

  timedOut(): void {
    this.fail("timeout", "no answer");
  }

  fail(kind: CoapFailure, text: string): void {
    const { address, port } = this.peer.peer;
    const what = `${this.#request.method} ${pathText(this.#request.path)} at ${address}:${port}`;
    this.#finish({ ok: false, error: new CoapError(kind, `${what}: ${text}`) });
  }

  /** Ends without an outcome. */
  cancel(): void {
    if (this.#done) return;
    this.#done = true;
    this.#stopDeadline?.();
    this.#stopWaitingForAnswer();
    this.#host.endTurn(this);
    this.#host.ended(this);
  }

  #nextPayload(options: CoapOption[]): Uint8Array {
    const askBlock2 = this.#download.isUnderWay || this.#request.blockSize !== undefined;
    if (this.#download.isUnderWay) {
      options.push(this.#download.option());
      return NO_BYTES; // RFC 7959, section 3.3: later blocks of the response are asked for without the body
    }
    if (askBlock2 && this.#upload.isLast) options.push(this.#download.option());
    return this.#upload.next(options);
  }

  #receive(message: CoapMessage, piggybacked: boolean): void {
    if (this.#done) return;
    const unwanted = refusedOption(message.options, UNDERSTOOD);
    if (unwanted !== undefined) {
      this.fail("protocol", `option ${optionName(unwanted.number)} in the response is not understood`);
      return;
    }
    if (this.#download.isUnderWay && !isSuccess(message.code) && this.#download.isEndedBy(message)) {
      this.#finish({ ok: true, response: wholeResponse(message) });
    } else if (this.#download.isUnderWay || this.#uploadAnswered(message, piggybacked)) {
      if (message.code === Code.Continue) this.#mismatch("2.31 to a request without blocks", piggybacked);
      else this.#downloadAnswered(message, piggybacked);
    }
  }

  /** True when the response is final, so that it may be the first block of a response. */
  #uploadAnswered(message: CoapMessage, piggybacked: boolean): boolean {
    const step = this.#upload.answered(message);
    if (step.kind === "mismatch") this.#mismatch(step.text, piggybacked);
    else if (step.kind === "send") this.#sendNext();
    return step.kind === "final";
  }

  #downloadAnswered(message: CoapMessage, piggybacked: boolean): void {
    const step = this.#download.answered(message);
    if (step.kind === "complete") this.#finish({ ok: true, response: step.response });
    else if (step.kind === "send") this.#sendNext();
    else if (step.kind === "mismatch") this.#mismatch(step.text, piggybacked);
    else if (step.kind === "too-large") this.fail("too-large", step.text);
    else this.#representationChanged();
  }

  /** Blocks of two representations are never joined: a GET begins anew, once; anything else cannot. */
  #representationChanged(): void {
    if (this.#request.method !== "GET" || this.#downloadRestarts > 0) {
      this.fail("protocol", "the ETag changed between two blocks");
      return;
    }
    this.#downloadRestarts++;
    this.#download = this.#newDownload();
    this.#sendNext();
  }

  /** A separate response that does not fit is a late one to an earlier block, from a peer that does not detect duplicates: passed over. */
  #mismatch(text: string, piggybacked: boolean): void {
    if (piggybacked) this.fail("protocol", text);
  }

  #sendNext(): void {
    this.#stopWaitingForAnswer();
    this.transmit();
  }

  #finish(outcome: CoapOutcome): void {
    if (this.#done) return;
    this.cancel();
    this.#onDone(outcome);
  }

  #stopWaitingForAnswer(): void {
    if (this.#outgoing !== undefined) this.#host.layer.stop(this.#outgoing);
    this.#outgoing = undefined;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  #newDownload(): Download {
    return new Download(
      blockExponentOf(this.#request),
      this.#request.maxBodyBytes ?? this.#host.layer.limits.bodyBytes,
    );
  }
}

function pathText(path: string | readonly string[]): string {
  return typeof path === "string" ? path : `/${path.join("/")}`;
}
