// How long a person has looked at the picture unblurred: a clock that runs while it is exposed, and says when it starts and stops.

export class Exposure {
  #seconds = 0;
  #since = null;
  #said;

  constructor(said) {
    this.#said = said;
  }

  get seconds() {
    return this.#seconds + (this.#since === null ? 0 : (performance.now() - this.#since) / 1_000);
  }

  set(exposed) {
    if (exposed === (this.#since !== null)) return;
    this.#seconds = this.seconds;
    this.#since = exposed ? performance.now() : null;
    this.#said(exposed ? "exposure-start" : "exposure-end", { seconds: this.#seconds });
  }
}
