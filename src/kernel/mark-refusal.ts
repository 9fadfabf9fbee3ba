// Why the kernel lets something not be watched, in words, with what can be done about it. fanotify_mark(2), and what has to be
// opened for it: each errno means one thing there.
import { systemWords } from "../failure.ts";
import { errnoName } from "./syscall.ts";

/** @param type of the filesystem, as mountinfo has it */
export function markRefusal(type: string, errno: number): string {
  const code = errnoName(errno);
  switch (code) {
    case "EOPNOTSUPP":
      return `${type} has no file handles, so the kernel can't tell names on it (EOPNOTSUPP)`;
    case "ENODEV":
      return `${type} has no filesystem id, and this kernel doesn't watch such ones (ENODEV)`;
    case "EXDEV":
      return `a ${type} subvolume has another filesystem id than its top level (EXDEV)`;
    case "EACCES":
      return `${type} lets nobody look into it but who mounted it, not even root (EACCES): mount it with allow_other`;
    case "EINVAL":
      return "the kernel doesn't report renames with both names (EINVAL): Linux 5.17, or 5.15.154 and 5.10.220, are needed";
    case "ENOSPC":
      return "too many marks (ENOSPC): raise sysctl fs.fanotify.max_user_marks";
    default:
      return `the kernel refuses to watch it: ${systemWords(code)}`;
  }
}
