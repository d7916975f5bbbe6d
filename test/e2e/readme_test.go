package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"calotype/test/servers"
)

var (
	tested     = regexp.MustCompile("(?s)<!-- tested -->\n```sh\n(.*?)```")
	madeImage  = regexp.MustCompile(`"id": ?"(img_\w+)"`)
	madeJob    = regexp.MustCompile(`"id": ?"(job_\w+)"`)
	settings   = regexp.MustCompile(`(?s)<!-- settings -->\n(.*?)<!-- /settings -->`)
	signingKey = "a key of at least 16 bytes"
)

// reader types what a document says into a shell, block by block, as a newcomer would.
type reader struct {
	dir string
	env []string
	at  *strings.Replacer // the document's addresses, as they are here
}

func newReader(t *testing.T, s *suite) *reader {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"test", "README.md"} { // what the commands name; they write beside it
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return &reader{
		dir: dir,
		env: []string{"CALOTYPE_SERVER=" + s.base, "KEY=" + signingKey, "PATH=" + bin + ":" + servers.ToolFolder(t, "grpcurl") + ":" + os.Getenv("PATH")},
		at: strings.NewReplacer("http://127.0.0.1:8080", s.base, "127.0.0.1:8080", strings.TrimPrefix(s.base, "http://"),
			"127.0.0.1:50051", s.grpc["storage"], "127.0.0.1:50052", s.grpc["image"], "127.0.0.1:50053", s.grpc["worker"], "127.0.0.1:50054", s.grpc["greeter"]),
	}
}

// run runs one block; what it prints sets IMAGE and JOB for the next.
func (r *reader) run(t *testing.T, block string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t), "bash", "-euo", "pipefail", "-c", r.at.Replace(block))
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), r.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nprinted\n%s", err, block, out)
	}
	for name, made := range map[string]*regexp.Regexp{"IMAGE": madeImage, "JOB": madeJob} {
		if found := made.FindSubmatch(out); found != nil {
			r.env = append(r.env, name+"="+string(found[1]))
		}
	}
	return string(out)
}

func document(t *testing.T, name string) (text string, blocks []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range tested.FindAllSubmatch(b, -1) {
		blocks = append(blocks, string(found[1]))
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no commands to test", name)
	}
	return string(b), blocks
}

// TestREADME runs every command of the README that it says is tested, in order, and looks at what came of them.
func TestREADME(t *testing.T) {
	s := up(t, t.TempDir())
	r := newReader(t, s)
	_, blocks := document(t, "README.md")
	var printed strings.Builder
	for _, block := range blocks {
		printed.WriteString(r.run(t, block))
	}
	for _, want := range []string{
		`"state":"QUEUED"`, "event: succeeded", `"state":"SUCCEEDED"`, "UNSUPPORTED_FORMAT", "calotype-image-worker",
		"greeter.v1.Greeter", `"message": "Hello, Ada"`, `"state": "SUCCEEDED"`, `"nextPageToken"`,
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("%s is nowhere in what the commands printed", want)
		}
	}
	for name, magic := range map[string]string{
		"w640.webp": "RIFF", "original.jpg": "\xff\xd8", "square.webp": "RIFF", "small.jpg": "\xff\xd8",
		"prints/photo-card.webp": "RIFF", "prints/photo-social.jpg": "\xff\xd8",
	} {
		b, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil || !strings.HasPrefix(string(b), magic) {
			t.Errorf("%s: %v, begins with %q", name, err, b[:min(4, len(b))])
		}
	}
	if t.Failed() {
		t.Log(printed.String())
	}
}

// TestSignedAddresses runs what docs/images.md says of signatures, against a server that insists on them.
func TestSignedAddresses(t *testing.T) {
	s := up(t, t.TempDir(), "CALOTYPE_SIGNING__KEYS=a newer key of 16 bytes,"+signingKey)
	image, _ := process(t, s.base, "thumb", picture(t, "photo.jpg"))
	r := newReader(t, s)
	r.env = append(r.env, "IMAGE="+image.Id)
	_, blocks := document(t, "docs/images.md")
	for _, block := range blocks {
		r.run(t, block)
	}
	if b, err := os.ReadFile(filepath.Join(r.dir, "signed.webp")); err != nil || !strings.HasPrefix(string(b), "RIFF") {
		t.Errorf("signed.webp: %v", err)
	}
	if a := get(t, s.base+"/i/w_512/"+image.Id+".webp"); a.status != 403 || a.problem().Reason != "SIGNATURE_MISSING" {
		t.Errorf("an unsigned address gave %d %s", a.status, a.body)
	}
}

// TestSettings keeps the documented table what `calotype settings` prints.
func TestSettings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "settings.md"))
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := calotype(t, "", "settings")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	found := settings.FindStringSubmatch(string(text))
	if found == nil || strings.TrimSpace(found[1]) != strings.TrimSpace(stdout) {
		t.Errorf("the table in docs/settings.md is not what calotype settings prints: run `make settings`")
	}
}
