package arch

import (
	"fmt"
	"regexp"
	"slices"
)

// pkg is what go list tells of a package: what it imports itself, tests left out, and all that is linked in with it.
type pkg struct {
	ImportPath, Name string
	Imports, Deps    []string
}

// rule says which imports the packages that match from must not have. In but, $1 and $2 stand for what from's groups matched.
type rule struct {
	name        string
	from        string
	except      string // of these packages, not those
	mains       bool   // of these packages, only commands
	never       string
	but         string // of these imports, not those
	transitive  bool   // nor by way of another package
	whatItMeans string
}

const adapters = `(rabbitmq|litequeue|postgres|sqlite|blobclient|webhook|rpc|pipeline|isolation|s3|fs)`

var rules = []rule{
	{
		name: "contract", from: `^calotype/proto\b`, never: `^calotype\b`, but: `^calotype/proto\b`,
		whatItMeans: "the contract knows nothing of what implements it",
	},
	{
		name: "kit", from: `^calotype/kit/`, never: `^calotype\b`, but: `^calotype/(kit/|proto/node/)`,
		whatItMeans: "kit knows no service and no service's proto; node.v1 is its own",
	},
	{
		name: "services", from: `^calotype/services/([^/]+)`, never: `^calotype/(services|gateway|cmd)\b`, but: `^calotype/services/$1(/|$)`,
		whatItMeans: "a service reaches another only through proto",
	},
	{
		name: "gateway", from: `^calotype/gateway\b`, never: `^calotype/(services|cmd)\b`,
		whatItMeans: "the gateway reaches services only through proto",
	},
	{
		name: "cmd", from: `^calotype/cmd/`, never: `^calotype/(services|gateway)\b`, but: `/app(/|$)`,
		whatItMeans: "the command joins apps, and knows nothing below them",
	},
	{
		name: "main", from: `^calotype/`, mains: true, never: `^calotype\b`, but: `/app(/|$)|^calotype/(kit|cmd)/|^calotype/proto$`,
		whatItMeans: "main holds a name, signals, configuration, New and Run; the rest is wired in app",
	},
	{
		name: "domain", from: `/image/internal/(recipe|job)$|/storage/internal/blob$`,
		never: `^calotype/|^google\.golang\.org/|^go-micro\.dev/|^database/sql|^net/http$`,
		but:   `^calotype/kit/fault$|^calotype/services/image/internal/(recipe|job)$`, whatItMeans: "the domain knows neither wire nor store",
	},
	{
		name: "use cases", from: `/image/internal/(manager|worker)$`, never: `^calotype/proto|^google\.golang\.org/|^go-micro\.dev/|^database/sql|^net/http$`,
		whatItMeans: "use cases speak domain types, never the wire's or a store's",
	},
	{
		name: "adapters", from: `^calotype/services/([^/]+)/internal/([^/]+)`,
		never: `^calotype/services/[^/]+/internal/` + adapters + `(/|$)`, but: `/internal/$2(/|$)`,
		whatItMeans: "adapters know nothing of each other; only app names them",
	},
	{
		name: "test code", from: `^calotype\b`, except: `test$|^calotype/test/`, never: `^testing$|^calotype/test/|^calotype/.*test$`,
		whatItMeans: "no binary links code that is there for tests",
	},
	{
		name: "no libvips", from: `^calotype/(gateway|services/(greeter|storage|image))/app$`, never: `^C$|^github\.com/davidbyttow/govips`, transitive: true,
		whatItMeans: "only the worker needs cgo and libvips",
	},
	{
		name: "left out", from: `^calotype/`, except: `^calotype/proto/`, never: `/plugins/v4/(client|server|broker)/|^go-micro\.dev/v4/(api|web)\b`,
		whatItMeans: "kit/rpc and the gateway stand in for these parts of go-micro, which lose statuses and drop connections",
	},
	owner(`image/internal/rabbitmq`, `^github\.com/rabbitmq/`),
	owner(`image/internal/postgres`, `^github\.com/jackc/`),
	owner(`image/internal/(sqlite|litequeue)`, `^modernc\.org/sqlite`),
	owner(`image/internal/pipeline`, `^C$|^github\.com/davidbyttow/govips`),
	owner(`storage/internal/s3`, `^github\.com/(minio|aws)/`),
	owner(`kit/(registry|leader|live)`, `^github\.com/hashicorp/consul|^go\.etcd\.io/|/plugins/v4/registry/`),
	owner(`kit/tracing`, `^github\.com/uber/jaeger|/plugins/v4/wrapper/trace/`),
	owner(`kit/config`, `^github\.com/knadh/koanf`),
}

// owner is the rule that one package, with those below it, has a technology to itself.
func owner(home, technology string) rule {
	return rule{
		name: "owner of " + technology, from: `^calotype/`, except: `^calotype/(.*/)?` + home + `(/|$)|^calotype/test/`, never: technology,
		whatItMeans: "one owner a technology: this one belongs to " + home,
	}
}

// banned are names that say nothing of what a package is for.
var banned = []string{"util", "utils", "common", "helper", "helpers", "types", "base", "misc", "shared"}

// faults returns every breach of a rule, and of the naming rule, in the packages given.
func faults(packages []pkg) []string {
	var found []string
	for _, p := range packages {
		if slices.Contains(banned, p.Name) {
			found = append(found, fmt.Sprintf("[names] %s: the name %s says nothing of what it is for", p.ImportPath, p.Name))
		}
		for _, r := range rules {
			for _, i := range r.broken(p) {
				found = append(found, fmt.Sprintf("[%s] %s imports %s: %s", r.name, p.ImportPath, i, r.whatItMeans))
			}
		}
	}
	return found
}

// broken returns the imports of p that break the rule.
func (r rule) broken(p pkg) []string {
	from := regexp.MustCompile(r.from)
	groups := from.FindStringSubmatchIndex(p.ImportPath)
	if groups == nil || matches(r.except, p.ImportPath) || r.mains && p.Name != "main" {
		return nil
	}
	but := string(from.ExpandString(nil, escapeEnd(r.but), p.ImportPath, groups))
	imports := p.Imports
	if r.transitive {
		imports = p.Deps
	}
	var broken []string
	for _, i := range imports {
		if matches(r.never, i) && !matches(but, i) {
			broken = append(broken, i)
		}
	}
	return broken
}

func matches(pattern, text string) bool {
	return pattern != "" && regexp.MustCompile(pattern).MatchString(text)
}

var lineEnd = regexp.MustCompile(`\$([^0-9]|$)`)

// escapeEnd keeps the $ that means the end of the text from being taken for a group's.
func escapeEnd(pattern string) string { return lineEnd.ReplaceAllString(pattern, `$$$$$1`) }
