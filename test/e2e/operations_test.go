package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/servers"
)

var (
	metricName = regexp.MustCompile(`\b(?:calotype|go_sql)_[a-z0-9_]+\b`)
	selector   = regexp.MustCompile(`\b((?:calotype|go_sql)_[a-z0-9_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+) *(?:=~|!~|!=|=) *"`)
	sample     = regexp.MustCompile(`(?m)^([a-z_][a-z0-9_]*)(?:\{(.*)\})? \S+$`)
	labelName  = regexp.MustCompile(`([a-z_]+)="`)
	alertName  = regexp.MustCompile(`(?m)^ *- alert: (\w+)$`)
	heading    = regexp.MustCompile(`(?m)^### (Calotype\w+)$`)
)

// TestOperationsNameWhatIsMeasured holds the alarms and docs/operations.md to the metrics and labels that running suites tell, one of
// them on RabbitMQ, Postgres and an object store, and to each other.
func TestOperationsNameWhatIsMeasured(t *testing.T) {
	broker, database, objects := servers.NewRabbitMQ(t), servers.NewPostgres(t), servers.NewS3(t)
	live := filepath.Join(t.TempDir(), "live.yaml")
	if err := os.WriteFile(live, []byte("log: {level: info}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	told := map[string]map[string]bool{} // metric to its labels
	for _, env := range [][]string{nil, {
		"CALOTYPE_QUEUE__KIND=rabbitmq", "CALOTYPE_QUEUE__RABBITMQ__URLS=" + broker.URL, "CALOTYPE_IMAGE__STORE=postgres",
		"CALOTYPE_IMAGE__POSTGRES__URL=" + withoutPassword(database.Database(t)), "CALOTYPE_IMAGE__POSTGRES__PASSWORD=" + database.Password,
		"CALOTYPE_STORAGE__KIND=s3", "CALOTYPE_STORAGE__S3__ENDPOINTS=" + objects.Endpoint, "CALOTYPE_STORAGE__S3__ACCESS_KEY=" + objects.AccessKey,
		"CALOTYPE_STORAGE__S3__SECRET_KEY=" + objects.SecretKey, "CALOTYPE_LIVE__KIND=file", "CALOTYPE_LIVE__FILE=" + live,
	}} {
		s := up(t, t.TempDir(), env...)
		if _, job := process(t, s.base, "thumb", picture(t, "photo.jpg")); job.State != imagev1.Job_SUCCEEDED {
			t.Fatalf("with %v the job ended %v: %v", env, job.State, job.Failure)
		}
		scrape(t, s.base, told)
	}

	alerts, guide := text(t, "deploy/prometheus/alerts.yaml"), text(t, "docs/operations.md")
	for where, said := range map[string]string{"the alarms": alerts, "docs/operations.md": guide} {
		for _, name := range metricName.FindAllString(said, -1) {
			if told[name] == nil {
				t.Errorf("%s name %s, which no process tells", where, name)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(said, -1) {
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if told[s[1]] != nil && !told[s[1]][m[1]] {
					t.Errorf("%s choose %s by %s; it has %v", where, s[1], m[1], slices.Sorted(maps.Keys(told[s[1]])))
				}
			}
		}
	}
	alarms, explained := first(alertName, alerts), first(heading, guide)
	if len(alarms) == 0 || fmt.Sprint(alarms) != fmt.Sprint(explained) {
		t.Errorf("the alarms are\n%v\nand docs/operations.md explains\n%v", alarms, explained)
	}
	for _, a := range alarms {
		if !strings.Contains(alerts, "docs/operations.md#"+strings.ToLower(a)+"\n") {
			t.Errorf("%s does not lead to what docs/operations.md says of it", a)
		}
	}
}

// scrape adds what a suite tells: of a histogram its own name, too.
func scrape(t *testing.T, base string, told map[string]map[string]bool) {
	t.Helper()
	a := get(t, base+"/metrics")
	if a.status != http.StatusOK {
		t.Fatalf("/metrics: %d", a.status)
	}
	for _, s := range sample.FindAllStringSubmatch(string(a.body), -1) {
		for _, name := range []string{s[1], strings.TrimSuffix(s[1], "_bucket")} {
			if told[name] == nil {
				told[name] = map[string]bool{}
			}
			for _, l := range labelName.FindAllStringSubmatch(s[2], -1) {
				told[name][l[1]] = true
			}
		}
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// first gives the first group of every match, sorted.
func first(re *regexp.Regexp, in string) (all []string) {
	for _, m := range re.FindAllStringSubmatch(in, -1) {
		all = append(all, m[1])
	}
	return slices.Sorted(slices.Values(all))
}

// withoutPassword is a database's URL as the configuration wants it.
func withoutPassword(address string) string {
	user, host, _ := strings.Cut(address, "@")
	return user[:strings.LastIndex(user, ":")] + "@" + host
}
