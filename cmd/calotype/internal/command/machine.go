package command

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"calotype/cmd/calotype/internal/suite"
	"calotype/kit/config"
)

// machine is about what `calotype up` would find here with a configuration.
func machine(cfg suite.Config, data string, serving bool) []finding {
	out := []finding{memory(cfg), files(), allocator(os.Getenv), room(cfg, data)}
	if allowed := cfg.Worker.Formats; len(allowed) > 0 {
		out = append(out, finding{"worker.formats", "note", strings.Join(allowed, " ") + ": their decoders are not made for strangers' files, and cannot be stopped"})
	}
	if serving { // who serves has them
		return out
	}
	return append(out, port("port of REST", cfg.HTTP.Listen), port("port of RPC", cfg.RPC.Listen))
}

// spare is what a process takes beside the pixels that its slots hold: encoders, originals, itself.
const spare = 192 * config.MiB

// memory compares what there is with what all slots may keep at once.
func memory(cfg suite.Config) finding {
	slots := cfg.Worker.Slots
	if slots == 0 {
		slots = runtime.GOMAXPROCS(0)
	}
	want := config.Size(slots)*cfg.Worker.Limits.Memory + spare
	have, from := available()
	if have == 0 {
		return finding{"memory", "note", fmt.Sprintf("cannot tell how much there is; %d slots may take %v", slots, want)}
	}
	text := fmt.Sprintf("%v by %s; %d slots may take %v", have/config.MiB*config.MiB, from, slots, want)
	if have < want {
		return finding{"memory", "note", text + ": lower worker.slots or worker.limits.memory"}
	}
	return finding{"memory", "ok", text}
}

// available is the memory that this process may take: the least of its control group's limit and the machine's.
func available() (config.Size, string) {
	var least config.Size
	from := ""
	take := func(kib bool, text, name string) {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || n <= 0 {
			return // "max"
		}
		if kib {
			n *= 1024
		}
		if least == 0 || config.Size(n) < least {
			least, from = config.Size(n), name
		}
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(path); err == nil {
			take(false, string(b), "the control group")
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "MemTotal:"); ok {
			kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			take(true, kib, "the machine")
		}
	}
	return least, from
}

// fewFiles are what a node of some hundred connections comes near to.
const fewFiles = 4096

func files() finding {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return finding{"open files", "note", "cannot tell the limit: " + err.Error()}
	}
	if l.Cur < fewFiles {
		return finding{"open files", "note", fmt.Sprintf("at most %d: a busy node needs more, for example by `ulimit -n 65536`", l.Cur)}
	}
	return finding{"open files", "ok", fmt.Sprintf("at most %d", l.Cur)}
}

// allocator is about who gives libvips its memory.
func allocator(env func(string) string) finding {
	for _, name := range []string{"jemalloc", "mimalloc", "tcmalloc"} {
		if strings.Contains(env("LD_PRELOAD"), name) {
			return finding{"allocator", "ok", name}
		}
	}
	set := func(name, otherwise string) string {
		if v := env(name); v != "" {
			return v
		}
		return otherwise
	}
	arenas, trim := set("MALLOC_ARENA_MAX", "2"), set("MALLOC_TRIM_THRESHOLD_", "131072")
	text := fmt.Sprintf("the system's, told to keep %s arenas and to give back above %s bytes", arenas, trim)
	if n, err := strconv.Atoi(arenas); err != nil || n > 4 {
		return finding{"allocator", "note", text + ": more than 4 arenas cost memory"}
	}
	return finding{"allocator", "ok", text + "; jemalloc by LD_PRELOAD takes a third less under mixed work"}
}

// room is about the disk: with less than storage.min_free uploads are refused.
func room(cfg suite.Config, data string) finding {
	path, err := filepath.Abs(data)
	for ; err == nil; path = filepath.Dir(path) {
		var st unix.Statfs_t
		if failed := unix.Statfs(path, &st); errors.Is(failed, os.ErrNotExist) && path != filepath.Dir(path) {
			continue // it will be made
		} else if failed != nil {
			err = failed
			break
		}
		free := config.Size(int64(st.Bavail) * int64(st.Bsize))
		text := fmt.Sprintf("%v free", free/config.MiB*config.MiB)
		switch least := cfg.Storage.MinFree; {
		case free < least:
			return finding{"disk", "bad", fmt.Sprintf("%s, and %v are to stay so: nothing can be uploaded", text, least)}
		case free < 4*least:
			return finding{"disk", "note", fmt.Sprintf("%s, of which %v are to stay so", text, least)}
		}
		return finding{"disk", "ok", text}
	}
	return finding{"disk", "note", "cannot tell what is free: " + err.Error()}
}

// port is about an address that is to be listened on.
func port(subject, address string) finding {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return finding{subject, "note", address + " cannot be had (" + err.Error() + "): name another by --listen, or in the settings"}
	}
	_ = l.Close()
	return finding{subject, "ok", address + " is free"}
}
