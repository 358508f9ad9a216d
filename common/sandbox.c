#include "sandbox.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_SANDBOX 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(NO_SANDBOX)

void
sandbox_enter(enum sandbox kind)
{
	(void)kind;
}

#else

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "log.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define OWN_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define OWN_ARCH AUDIT_ARCH_S390X
#endif

#ifdef OWN_ARCH
/* What a filter's loop needs, malloc, and the C library at exit. */
static const unsigned pure[] = { SYS_read, SYS_readv, SYS_write, SYS_writev, SYS_ppoll,
	SYS_pwrite64, SYS_ftruncate,
	SYS_close, SYS_fcntl, SYS_fstat, SYS_lseek, SYS_brk, SYS_mremap, SYS_munmap, SYS_madvise,
	SYS_futex, SYS_getrandom, SYS_clock_gettime, SYS_gettimeofday, SYS_rt_sigreturn,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_restart_syscall, SYS_getpid, SYS_gettid, SYS_exit,
	SYS_exit_group,
#ifdef PGCDC_COVERAGE /* the counters are written at exit, into files */
	SYS_openat, SYS_mkdir,
#endif
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_newfstatat
	SYS_newfstatat,
#endif
};

/* What no client of a server needs. */
static const unsigned foreign[] = { SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare,
	SYS_setns, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_bpf,
	SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_reboot, SYS_swapon,
	SYS_swapoff, SYS_sethostname, SYS_setdomainname, SYS_settimeofday, SYS_clock_settime,
	SYS_adjtimex, SYS_acct,
#ifdef SYS_kexec_load
	SYS_kexec_load,
#endif
#ifdef SYS_pidfd_getfd
	SYS_pidfd_getfd,
#endif
#ifdef SYS_userfaultfd
	SYS_userfaultfd,
#endif
};

/* Of a 64-bit argument the half that has the flags. */
#define LOW_WORD (__BYTE_ORDER == __LITTLE_ENDIAN ? 0 : 4)
#define ARGUMENT(n) \
	(uint32_t)(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t) + LOW_WORD)
#define ALLOW (uint32_t)SECCOMP_RET_ALLOW
#define DENY  (uint32_t)(SECCOMP_RET_ERRNO | EPERM)

struct program {
	struct sock_filter code[2 * (COUNT(pure) + COUNT(foreign)) + 32];
	unsigned short n;
};

static void
put(struct program *p, struct sock_filter i)
{
	p->code[p->n++] = i;
}

static void
put_load(struct program *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void
put_return(struct program *p, uint32_t action)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Where a test of what was loaded last holds, yes instructions are left out, else no. */
static void
put_test(struct program *p, unsigned short test, uint32_t value, uint8_t yes, uint8_t no)
{
	put(p, (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | test | BPF_K), value, yes, no));
}

static void
put_calls(struct program *p, const unsigned *call, size_t n, uint32_t action)
{
	for (size_t i = 0; i < n; i++) {
		put_test(p, BPF_JEQ, call[i], 0, 1);
		put_return(p, action);
	}
}

/* A flag of an argument, without which (or with) the call is denied. */
static void
put_flag(struct program *p, unsigned argument, uint32_t flag, bool wanted)
{
	put_load(p, ARGUMENT(argument));
	put_test(p, BPF_JSET, flag, wanted, !wanted);
	put_return(p, DENY);
}

/* Memory, but nothing that can be run, and no files. */
static void
put_memory(struct program *p)
{
	put_test(p, BPF_JEQ, SYS_mprotect, 0, 4);
	put_flag(p, 2, PROT_EXEC, false);
	put_return(p, ALLOW);
	put_test(p, BPF_JEQ, SYS_mmap, 0, 7);
	put_flag(p, 2, PROT_EXEC, false);
	put_flag(p, 3, MAP_ANONYMOUS, true);
	put_return(p, ALLOW);
}

static void
compile(struct program *p, enum sandbox kind)
{
	put_load(p, offsetof(struct seccomp_data, arch));
	put_test(p, BPF_JEQ, OWN_ARCH, 1, 0);
	put_return(p, DENY);
	put_load(p, offsetof(struct seccomp_data, nr));
#ifdef __X32_SYSCALL_BIT
	put_test(p, BPF_JGE, __X32_SYSCALL_BIT, 0, 1);
	put_return(p, DENY);
#endif
	if (kind == SANDBOX_CLIENT) {
		put_calls(p, foreign, COUNT(foreign), DENY);
		put_return(p, ALLOW);
		return;
	}
	put_calls(p, pure, COUNT(pure), ALLOW);
	put_memory(p);
	put_return(p, DENY);
}
#endif

void
sandbox_enter(enum sandbox kind)
{
#ifdef OWN_ARCH
	struct program p = { .n = 0 };
	struct sock_fprog all = { .filter = p.code };

	compile(&p, kind);
	all.len = p.n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0) == 0)
		return;
	log_info("no sandbox here", kv_str("error", strerror(errno)));
#else
	(void)kind;
	log_info("no sandbox here", kv_str("error", "none is known for this machine"));
#endif
}

#endif
