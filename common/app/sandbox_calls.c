/*
 * The system calls that a server needs once it listens, as a BPF program: those of our
 * code, of glibc (threads, memory, looking names up), libevent and OpenSSL. Not among
 * them: starting programs, writing or changing files, listening, tracing, mounting.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/sandbox.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "sandbox_calls.c does not know this architecture"
#endif

static const unsigned calls[] = {
	/* bytes and descriptors */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_close,
	SYS_lseek,
	SYS_fcntl,
	SYS_dup,
	SYS_dup3,
	SYS_pipe2,
	SYS_ioctl,
	SYS_fadvise64,
	/* files, to be read */
	SYS_openat,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlinkat,
	SYS_getdents64,
	SYS_getcwd,
	/* sockets */
	SYS_socket,
	SYS_socketpair,
	SYS_connect,
	SYS_bind,
	SYS_accept,
	SYS_accept4,
	SYS_getsockname,
	SYS_getpeername,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_sendto,
	SYS_recvfrom,
	SYS_sendmsg,
	SYS_recvmsg,
	SYS_sendmmsg,
	SYS_recvmmsg,
	SYS_shutdown,
	SYS_io_setup,
	SYS_io_submit,
	SYS_io_getevents,
	SYS_io_destroy,
	/* waiting */
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_epoll_pwait2,
	SYS_ppoll,
	SYS_pselect6,
	SYS_eventfd2,
	SYS_timerfd_create,
	SYS_timerfd_settime,
	SYS_signalfd4,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_restart_syscall,
	/* time and chance */
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_gettimeofday,
	SYS_getrandom,
	SYS_times,
	SYS_getrusage,
	/* memory */
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	SYS_brk,
	/* threads and signals */
	SYS_clone,
	SYS_clone3,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_set_tid_address,
	SYS_futex,
	SYS_membarrier,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_prctl,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_tgkill,
	SYS_exit,
	SYS_exit_group,
	/* who and where we are */
	SYS_getpid,
	SYS_getppid,
	SYS_gettid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_uname,
	SYS_sysinfo,
	SYS_prlimit64,
#if defined(__x86_64__)
	SYS_open,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_poll,
	SYS_select,
	SYS_epoll_wait,
	SYS_dup2,
	SYS_pipe,
	SYS_time,
	SYS_arch_prctl,
	SYS_getrlimit,
#endif
#if defined(__SANITIZE_ADDRESS__) && defined(__x86_64__)
	/* LeakSanitizer stops the other threads and looks at their stacks. */
	SYS_ptrace,
	SYS_wait4,
	SYS_kill,
	SYS_mlock,
	SYS_munlock,
	SYS_sched_setaffinity,
	SYS_process_vm_readv,
	SYS_getdents,
#endif
};

enum {
	HEAD = 4, /* instructions before the list, and after it */
	TAIL = 1,
	EACH = 2,
};

static void
make_filter(struct sock_filter *out)
{
	*out++ = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	*out++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	*out++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	*out++ = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		*out++ = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		*out++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	*out = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
}

bool
sandbox_limit_calls(void)
{
	struct sock_filter filter[HEAD + EACH * ARRAY_LEN(calls) + TAIL];
	const struct sock_fprog program = { .len = ARRAY_LEN(filter), .filter = filter };

	make_filter(filter);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG,
		   &program) == 0;
}
