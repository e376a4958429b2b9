// A request that waits at the door until a test lets it go on: before the provider has seen it, or
// after the provider has committed and before a byte of the answer leaves. With it a client can be
// killed at an exact step.

export class Holds {
  #active = new Map();
  #next = 0;

  add({ route, when, grant_type: grantType }) {
    if (when !== 'before' && when !== 'after') throw new Error('when must be before or after');
    const id = ++this.#next;
    this.#active.set(id, { route, when, grantType, arrivals: [], waiting: [], watchers: new Set() });
    return id;
  }

  /** Resolves to true when the request may go on, false when its connection is to be dropped. */
  pass(when, entry) {
    for (const hold of this.#active.values()) {
      if (hold.when !== when || (hold.route !== '*' && hold.route !== entry.route)) continue;
      if (hold.grantType && hold.grantType !== entry.grant_type) continue;
      return new Promise((resolve) => {
        hold.arrivals.push(entry);
        hold.waiting.push(resolve);
        for (const watcher of hold.watchers) watcher();
      });
    }
    return true;
  }

  /** Waits until `count` requests in all have arrived, or the time is over; answers with those. */
  async arrivals(id, { count = 1, timeout = 10 }) {
    const hold = this.#get(id);
    await new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        hold.watchers.delete(check);
        resolve();
      };
      const check = () => hold.arrivals.length >= count && finish();
      const timer = setTimeout(finish, timeout * 1000);
      hold.watchers.add(check);
      check();
    });
    return hold.arrivals;
  }

  /** Lets `count` waiting requests go; without a count all of them, and the hold ends. */
  release(id, { count, drop = false } = {}) {
    const hold = this.#get(id);
    if (count === undefined) this.#active.delete(id);
    const freed = hold.waiting.splice(0, count ?? hold.waiting.length);
    for (const resolve of freed) resolve(!drop);
    return freed.length;
  }

  clear() {
    for (const id of [...this.#active.keys()]) this.release(id);
  }

  #get(id) {
    const hold = this.#active.get(id);
    if (!hold) throw new Error(`no hold ${id}`);
    return hold;
  }
}
