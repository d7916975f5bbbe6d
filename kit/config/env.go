package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// EnvName is the variable that sets a key.
func EnvName(prefix, key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// Kubernetes and Docker put the address of a service called calotype-x into every neighbour's environment under these names.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT)(_|$)|_PORT$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_|$)`)

func (l *loader) env(src Sources) map[string]any {
	layer := map[string]any{}
	if src.EnvPrefix == "" {
		return layer
	}
	byEnv := map[string]field{}
	var names []string
	for _, f := range l.fields.leaves {
		n := EnvName(src.EnvPrefix, f.name)
		byEnv[n] = f
		names = append(names, n)
	}
	for _, pair := range slices.Sorted(slices.Values(src.Env)) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, src.EnvPrefix) || slices.Contains(src.EnvIgnore, name) {
			continue
		}
		if f, ok := byEnv[name]; ok {
			if _, twice := layer[f.name]; twice {
				l.fault(name, "is given twice")
				continue
			}
			l.keep(layer, f.name, given{where: name, node: scalar(value)})
			continue
		}
		secret, isFile := strings.CutSuffix(name, "_FILE")
		if f, ok := byEnv[secret]; ok && isFile && f.secret {
			if _, twice := layer[f.name]; twice {
				l.fault(name, "is given both itself and as a file: set %s or %s", secret, name)
				continue
			}
			l.secretFile(layer, f.name, value, name)
			continue
		}
		if serviceLink.MatchString(name) {
			continue
		}
		l.unknown(name, "variable", name, names)
	}
	return layer
}

// keyAnnotation ties a flag of another name to a key.
const keyAnnotation = "calotype/config-key"

// Bind makes a flag set the key, where the flag is not simply called as the key is.
func Bind(fs *pflag.FlagSet, flag, key string) error {
	return fs.SetAnnotation(flag, keyAnnotation, []string{key})
}

// AddFlags gives fs one flag for each setting of dst that is not a secret: those come from files or the environment only.
func AddFlags(fs *pflag.FlagSet, dst any) {
	for _, f := range describe(dst).leaves {
		if f.secret || fs.Lookup(f.name) != nil {
			continue
		}
		v := flagValue{text: show(f), kind: kindOf(f.value.Type())}
		flag := fs.VarPF(&v, f.name, "", f.doc)
		if v.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue keeps the text; Load reads and checks it with everything else.
type flagValue struct{ text, kind string }

func (v *flagValue) String() string     { return v.text }
func (v *flagValue) Set(s string) error { v.text = s; return nil }
func (v *flagValue) Type() string       { return v.kind }

func (l *loader) flags(fs *pflag.FlagSet) map[string]any {
	layer := map[string]any{}
	if fs == nil {
		return layer
	}
	fs.Visit(func(f *pflag.Flag) {
		key := f.Name
		if a := f.Annotations[keyAnnotation]; len(a) == 1 {
			key = a[0]
		}
		leaf, ok := l.fields.byName[key]
		switch {
		case !ok:
			return // a flag of the command's own
		case leaf.secret:
			l.fault("--"+f.Name, "is a secret and cannot be a flag, which every user of the machine can read")
		default:
			value := f.Value.String()
			if s, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(s.GetSlice(), ",")
			}
			l.keep(layer, key, given{where: "--" + f.Name, node: scalar(value)})
		}
	})
	return layer
}
