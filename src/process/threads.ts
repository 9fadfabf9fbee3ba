// What threads have of their own: a name, and users that one thread alone took (setresuid as a plain system call, as
// Samba and NFS servers do). An event tells the process, never the thread, so these only matter to children, which
// inherit from the thread that forked them, and to what a line may claim.

interface ThreadUser {
  pid: number;
  uid: number;
  euid: number;
}

export class Threads {
  /** By thread number. */
  private readonly names = new Map<number, string>();
  /** Only of threads that differ from their process's first one. */
  private readonly users = new Map<number, ThreadUser>();

  nameOf(tid: number): string | undefined {
    return this.names.get(tid);
  }

  userOf(tid: number): { readonly uid: number; readonly euid: number } | undefined {
    return this.users.get(tid);
  }

  /** True where some thread of the process acts as another user than its first one. */
  differ(pid: number): boolean {
    // Hardly any process has such threads, so the whole is looked through.
    for (const user of this.users.values()) if (user.pid === pid) return true;
    return false;
  }

  /** A thread has what the one that made it has, and keeps it when that one or the process takes something else. */
  fork(pid: number, tid: number, parentTid: number, processName: string | undefined): void {
    const name = this.names.get(parentTid) ?? processName;
    if (name !== undefined) this.names.set(tid, name);
    const user = this.users.get(parentTid);
    if (user !== undefined) this.users.set(tid, { ...user, pid });
  }

  setName(tid: number, name: string): void {
    this.names.set(tid, name);
  }

  setUser(pid: number, tid: number, uid: number, euid: number): void {
    this.users.set(tid, { pid, uid, euid });
  }

  /** The thread acts as its process's first one again. */
  clearUser(tid: number): void {
    this.users.delete(tid);
  }

  /** The first thread took these users: others that have the same don't differ any more. */
  settle(pid: number, uid: number, euid: number): void {
    for (const [tid, user] of this.users)
      if (user.pid === pid && user.uid === uid && user.euid === euid) this.users.delete(tid);
  }

  /** The thread is gone. */
  forget(tid: number): void {
    this.names.delete(tid);
    this.users.delete(tid);
  }

  /** All threads but one are gone: the process executed a program. */
  forgetProcess(pid: number): void {
    this.names.delete(pid);
    for (const [tid, user] of this.users) if (user.pid === pid) this.users.delete(tid);
  }

  clear(): void {
    this.names.clear();
    this.users.clear();
  }
}
