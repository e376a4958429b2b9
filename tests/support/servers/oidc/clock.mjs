// The server's own clock. Every expiry the provider computes goes through Date.now, so an offset
// here ages tokens and skews `iat`, `exp` and the Date header without anybody having to wait.

const realNow = Date.now;
let offsetMs = 0;

Date.now = () => realNow() + offsetMs;

export const now = () => Date.now();

/** The machine's time, in seconds: what the log records, so that tests can compare with their own. */
export const wallSeconds = () => realNow() / 1000;

export function setOffset(seconds) {
  offsetMs = seconds * 1000;
}
