//go:build linux

package isolation

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// The places in what a filter sees of a call: its number, the architecture, then six arguments of 8 bytes, the low half first.
const (
	atNumber = 0
	atArch   = 4
	atArgs   = 16
)

func low(arg int) uint32  { return uint32(atArgs + 8*arg) }
func high(arg int) uint32 { return low(arg) + 4 }

const (
	newest   = 424 // from here on, what is not known is answered as if the kernel did not have it, and the C library does without
	writing  = 0o20000000 | unix.O_ACCMODE | unix.O_CREAT | unix.O_TRUNC
	x32      = 1 << 30 // numbers from here on are another way into the same calls
	errno    = unix.SECCOMP_RET_ERRNO
	denied   = errno | uint32(unix.EPERM)
	unheard  = errno | uint32(unix.ENOSYS)
	killed   = unix.SECCOMP_RET_KILL_PROCESS
	allowed  = unix.SECCOMP_RET_ALLOW
	archWord = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
)

// common are the calls that every architecture has and that do no harm whatever their arguments are.
var common = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PREADV, unix.SYS_RECVMSG, unix.SYS_RECVFROM,
	unix.SYS_SHUTDOWN, unix.SYS_CLOSE, unix.SYS_LSEEK, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_STATFS, unix.SYS_FSTATFS, unix.SYS_GETDENTS64,
	unix.SYS_READLINKAT, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_GETCWD, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_FCNTL, unix.SYS_FADVISE64,
	unix.SYS_MMAP, unix.SYS_MPROTECT, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK, unix.SYS_MEMBARRIER,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SCHED_GETPARAM, unix.SYS_SCHED_GETSCHEDULER,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY,
	unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETPPID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
	unix.SYS_FUTEX, unix.SYS_SET_ROBUST_LIST, unix.SYS_GET_ROBUST_LIST, unix.SYS_SET_TID_ADDRESS, unix.SYS_RSEQ,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2,
	unix.SYS_EVENTFD2, unix.SYS_PIPE2, unix.SYS_PPOLL, unix.SYS_PSELECT6, unix.SYS_GETRANDOM, unix.SYS_GETRUSAGE, unix.SYS_SYSINFO,
	unix.SYS_UNAME, unix.SYS_GETRLIMIT,
}

// rules is the filter's program for the process pid: a list of calls that are allowed, some of them with conditions.
func rules(pid int) ([]unix.SockFilter, error) {
	if machine == 0 {
		return nil, fmt.Errorf("seccomp: the system calls of this architecture are not known here")
	}
	p := program{
		load(atArch), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: machine}, answer(killed),
		load(atNumber), {Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: x32}, answer(killed),
	}
	for _, nr := range slices.Concat(common, native) {
		p.when(nr, answer(allowed))
	}
	// Files are opened to be read.
	for nr, flags := range opening {
		p.when(nr, load(low(flags)), unless(writing, 1), answer(allowed), answer(denied))
	}
	// Threads, and no processes.
	p.when(unix.SYS_CLONE, load(low(0)), unless(unix.CLONE_THREAD, 1), answer(denied), answer(allowed))
	// Signals to itself, with which the runtime takes turns.
	for _, nr := range []uint32{unix.SYS_TGKILL, unix.SYS_KILL} {
		p.when(nr, load(low(0)), equal(uint32(pid), 1), answer(denied), answer(allowed))
	}
	// Its own limits are read, and not changed.
	p.when(unix.SYS_PRLIMIT64, load(low(0)), equal(0, 1), answer(denied),
		load(low(2)), equal(0, 1), answer(denied), load(high(2)), equal(0, 1), answer(denied), answer(allowed))
	// Threads and memory get names.
	p.when(unix.SYS_PRCTL, load(low(0)), equal(unix.PR_SET_NAME, 2), equal(unix.PR_SET_VMA, 1), answer(denied), answer(allowed))
	p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: newest}, answer(unheard), answer(denied))
	return p, nil
}

type program []unix.SockFilter

// when does steps for the call nr, and goes on for others. The steps end in an answer.
func (p *program) when(nr uint32, steps ...unix.SockFilter) {
	*p = append(*p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: uint8(len(steps)), K: nr})
	*p = append(*p, steps...)
}

func load(at uint32) unix.SockFilter { return unix.SockFilter{Code: archWord, K: at} }

func answer(a uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: a}
}

// unless skips so many steps when a bit is set.
func unless(bits uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: skip, K: bits}
}

// equal skips so many steps when what was loaded is this.
func equal(k uint32, skip uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: skip, K: k}
}
