package boot

import (
	"runtime/debug"
	"strings"
)

// Version and Commit are set by the linker: -ldflags "-X calotype/kit/boot.Version=0.1.0 -X calotype/kit/boot.Commit=...".
var (
	Version = "dev"
	Commit  = ""
)

// Build gives the version and commit that this binary was built from; where the linker was not told, the Go toolchain's record.
func Build() (version, commit string) {
	version, commit = Version, Commit
	if commit != "" {
		return version, commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, ""
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if dirty && commit != "" {
		commit += "-dirty"
	}
	if v := info.Main.Version; version == "dev" && v != "" && v != "(devel)" {
		version = strings.TrimPrefix(v, "v")
	}
	return version, commit
}
