//go:build linux

package isolation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fenced tells a helper that Landlock keeps it in.
const fenced = "CALOTYPE_HELPER_FENCED"

// handled are the uses of files that Landlock knows from its first version on, but for starting programs, which the filter denies: the
// helper itself has to be started.
const handled = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | readable | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
	unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
	unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
	unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM

const readable = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR

// fence lets the calling thread, and what is started from it, read the system's files and no others.
func fence() error {
	attr := unix.LandlockRulesetAttr{Access_fs: handled}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr.Access_fs), 0)
	if errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	defer unix.Close(int(fd))
	for _, path := range places() {
		if err := allow(int(fd), path); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EACCES) {
			return fmt.Errorf("landlock: %s: %w", path, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	return nil
}

func allow(ruleset int, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_READ_FILE, Parent_fd: int32(fd)}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		rule.Allowed_access = readable
	}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// places are the program, its libraries, and what they read: modules, fonts, profiles, character sets.
func places() []string {
	all := []string{"/proc/self/exe", "/usr", "/lib", "/lib64", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime",
		"/var/cache/fontconfig", "/dev/null", "/dev/zero", "/dev/urandom", "/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage", "/proc/cpuinfo", "/proc/meminfo"}
	for _, name := range []string{"LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE", "XDG_DATA_DIRS"} {
		all = append(all, filepath.SplitList(os.Getenv(name))...)
	}
	if home := os.Getenv("HOME"); home != "" {
		all = append(all, filepath.Join(home, ".fonts"), filepath.Join(home, ".local/share/fonts"), filepath.Join(home, ".config/fontconfig"), filepath.Join(home, ".cache/fontconfig"))
	}
	maps, _ := os.ReadFile("/proc/self/maps") // of the node, which is the same program
	for line := range strings.Lines(string(maps)) {
		if at := strings.IndexByte(line, '/'); at > 0 && strings.Contains(line, ".so") {
			all = append(all, filepath.Dir(strings.TrimSpace(line[at:])))
		}
	}
	all = slices.DeleteFunc(all, func(p string) bool { return !filepath.IsAbs(p) || p == "/" })
	slices.Sort(all)
	return slices.Compact(all)
}
