package pipeline

import (
	"cmp"
	"slices"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// Abilities says what the engine can do, and why not where it cannot. It tries once and remembers.
func (e *Engine) Abilities() job.Abilities {
	found := capabilities()
	return job.Abilities{Library: "libvips " + found.Version, Formats: e.formats(found), Fonts: fonts(), Limits: e.limits.numbers(), Isolation: "none"}
}

// formats joins what is read with what is written.
func (e *Engine) formats(found Capabilities) []job.Format {
	byName := map[string]*job.Format{}
	of := func(name string) *job.Format {
		if byName[name] == nil {
			byName[name] = &job.Format{Name: name, ContentType: cmp.Or(probe.ContentType(name), recipe.Format(name).ContentType())}
		}
		return byName[name]
	}
	var all []job.Format
	for _, name := range probe.Formats() {
		f := of(name)
		if f.Read = slices.Contains(found.Load, name); !f.Read {
			f.Reason = missing("read", found)
		} else if slices.Contains(probe.Guarded(), name) && !slices.Contains(e.allowed, name) {
			f.Read, f.Reason = false, "not read: the setting worker.formats does not allow it"
		}
	}
	for name, c := range codecs {
		f := of(string(name))
		f.Animated = c.animated
		if f.Written = slices.Contains(found.Save, string(name)); !f.Written && f.Reason == "" {
			f.Reason = missing("written", found)
		}
	}
	for name, f := range byName {
		_, writable := codecs[recipe.Format(name)]
		switch {
		case f.Reason != "":
		case !writable:
			f.Reason = "not written: there is no encoder of it here"
		case !f.Read:
			f.Reason = "not read: it tells of pictures, and is none"
		}
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b job.Format) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func missing(what string, found Capabilities) string {
	return "not " + what + ": libvips " + found.Version + " of this node was built without it"
}
