// Filesystems that are no store of files but what the kernel makes up while it is read. A table only. Filesystem marks are refused there
// (EOPNOTSUPP, they have no file handles); directories could be marked one by one, but most of what happens in them sends no event.

/** Type as in the mount table → statfs(2) f_type (linux/magic.h; configfs and rpc_pipefs: their own sources). */
export const UNWATCHABLE: ReadonlyMap<string, number> = new Map([
  ["proc", 0x9fa0],
  ["sysfs", 0x62656572],
  ["devpts", 0x1cd1],
  ["debugfs", 0x64626720],
  ["tracefs", 0x74726163],
  ["securityfs", 0x73636673],
  ["configfs", 0x62656570],
  ["efivarfs", 0xde5e81e4],
  ["bpf", 0xcafe4a11],
  ["mqueue", 0x19800202],
  ["pstore", 0x6165676c],
  ["binfmt_misc", 0x42494e4d],
  ["fusectl", 0x65735543],
  ["autofs", 0x187],
  ["rpc_pipefs", 0x67596969],
  ["nsfs", 0x6e736673],
  ["selinuxfs", 0xf97cff8c],
]);
