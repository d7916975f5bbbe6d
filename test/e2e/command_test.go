package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/servers"
)

// TestCommandLine uses the client's commands as scripts do: by what they print and how they end.
func TestCommandLine(t *testing.T) {
	s := up(t, t.TempDir())
	prints := t.TempDir()
	photo, broken := filepath.Join(root, "test/pictures/photo.jpg"), filepath.Join(root, "test/pictures/bad/truncated.jpg")

	stdout, stderr, code := calotype(t, s.base, "upload", photo, broken, "--preset", "thumb", "-o", prints)
	if code != 1 || !strings.Contains(stdout, "succeeded") || !strings.Contains(stderr, "BROKEN_IMAGE") || !strings.Contains(stderr, "1 of 2 files failed") {
		t.Errorf("upload of a good and a bad file: %d\n%s\n%s", code, stdout, stderr)
	}
	if files, err := os.ReadDir(prints); err != nil || len(files) != 2 {
		t.Errorf("downloaded %v, %v", files, err)
	}

	stdout, stderr, code = calotype(t, s.base, "upload", photo, "--variant", "tiny:w_16/f_png", "--wait", "--json")
	made := &imagev1.CreateImageResponse{}
	if err := protojson.Unmarshal([]byte(stdout), made); code != 0 || err != nil || len(made.Job.GetResults()) != 1 {
		t.Fatalf("upload --json: %d %v\n%s\n%s", code, err, stdout, stderr)
	}
	id, job := made.Image.Id, made.Job.Id

	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"get", id}, 0, "1200 x 900"},
		{[]string{"get", id, "--variant", "tiny", "-o", filepath.Join(prints, "tiny.png")}, 0, ""},
		{[]string{"get", id, "--options", "w_32", "-o", filepath.Join(prints, "new.avif")}, 0, ""},
		{[]string{"get", id, "--options", "w_32,c_fil", "-o", "-"}, 1, `did you mean "fill"?`},
		{[]string{"get", "img_00000000000000000000000000"}, 1, "NOT_FOUND"},
		{[]string{"get", id, "--variant", "tiny"}, 2, "-o FILE"},
		{[]string{"job", job}, 0, "tiny"},
		{[]string{"job", "watch", job}, 0, "succeeded"},
		{[]string{"job", "cancel", job}, 1, "JOB_ENDED"},
		{[]string{"job", "retry", job}, 1, "JOB_SUCCEEDED"},
		{[]string{"jobs", "--state", "succeeded"}, 0, job},
		{[]string{"jobs", "--state", "asleep"}, 2, "none of"},
		{[]string{"nodes"}, 0, "calotype-image-worker"},
		{[]string{"doctor"}, 0, "libvips"},
		{[]string{"upload"}, 2, "at least 1 arg"},
		{[]string{"upload", photo, "--wait"}, 2, "--preset"},
		{[]string{"upload", photo, "--preset", "wbe"}, 1, "thumb, web"},
		{[]string{"upload", filepath.Join(prints, "nowhere.jpg")}, 1, "no such file"},
		{[]string{"uplod"}, 2, `did you mean "upload"?`},
		{[]string{"--server", servers.FreePort(t), "jobs"}, 3, "is it running?"},
		{[]string{"completion", "bash"}, 0, "calotype"},
		{[]string{"--version"}, 0, "calotype"},
	} {
		stdout, stderr, code := calotype(t, s.base, c.args...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("calotype %s: exit code %d, want %d with %q\n%s\n%s", strings.Join(c.args, " "), code, c.code, c.want, stdout, stderr)
		}
	}
	for name, magic := range map[string]string{"tiny.png": "\x89PNG", "new.avif": "\x00\x00\x00"} {
		if b, err := os.ReadFile(filepath.Join(prints, name)); err != nil || !strings.HasPrefix(string(b), magic) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDrain tells the suite to leave while jobs run: it ends in order, and they have been finished or wait for the next start.
func TestDrain(t *testing.T) {
	data := t.TempDir()
	s := up(t, data)
	var jobs []string
	for range 6 {
		a, err := upload(within(t), s.base, "", url.Values{"preset": {"hero"}}, picture(t, "photo.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		made := &imagev1.CreateImageResponse{}
		read(t, a, http.StatusCreated, made)
		jobs = append(jobs, made.Job.Id)
	}
	s.Stop()
	if s.ExitCode() != 0 {
		t.Errorf("it ended with exit code %d\n%s", s.ExitCode(), s.Log())
	}
	s.Start()
	for _, id := range jobs {
		if job := ended(t, s.base, id); job.State != imagev1.Job_SUCCEEDED || job.Attempts != 1 {
			t.Errorf("%s is %v after %d attempts: %v", id, job.State, job.Attempts, job.Failure)
		}
	}
}

// TestOneFolderOneSuite refuses a data folder that another suite uses, and says so.
func TestOneFolderOneSuite(t *testing.T) {
	data := t.TempDir()
	up(t, data)
	_, stderr, code := calotype(t, "", "up", "--data", data, "--listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "belongs to another calotype") {
		t.Errorf("a second suite on one folder: %d %s", code, stderr)
	}
}

// TestWrongSettings are told all at once, each with where it stands.
func TestWrongSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calotype.yaml")
	if err := os.WriteFile(file, []byte("http:\n  lisen: :80\nworker:\n  slots: many\nimage:\n  presets:\n    mine:\n      variants: [\"a:w_32,c_fil\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := calotype(t, "", "up", "--data", t.TempDir(), "--config", file)
	for _, want := range []string{"calotype.yaml:2", "http.listen", "calotype.yaml:4", "many", `did you mean "fill"?`} {
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, and %q is not told:\n%s", code, want, stderr)
		}
	}
}
