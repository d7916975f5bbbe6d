package manager

import (
	"strings"
	"testing"
	"unicode/utf8"

	"calotype/services/image/internal/job"
)

func TestFilename(t *testing.T) {
	for in, want := range map[string]string{
		"a.jpg":                  "a.jpg",
		"../../etc/passwd":       "passwd",
		`C:\Fotos\Müller 1.jpg`:  "Müller 1.jpg",
		"folder/":                "folder",
		"":                       "",
		"/":                      "",
		"..":                     "",
		".":                      "",
		"a\x00b\nc\x7f.png":      "abc.png",
		"bad\xffutf8":            "bad\uFFFDutf8",
		strings.Repeat("x", 300): strings.Repeat("x", 255),
		strings.Repeat("写", 100): strings.Repeat("写", 85),
	} {
		if got := filename(in); got != want || !utf8.ValidString(got) {
			t.Errorf("filename(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		most := min(relayRest, relayPause<<min(failures-1, 30))
		if d := backoff(failures, relayPause, relayRest); d < most/2 || d > most {
			t.Errorf("after %d failures %v, want %v..%v", failures, d, most/2, most)
		}
	}
}

func TestWhyAJobIsDead(t *testing.T) {
	away := &job.Failure{Reason: "STORAGE_AWAY", Message: "storage does not answer", Variant: "a"}
	for _, c := range []struct {
		last   *job.Failure
		reason string
		want   job.Failure
	}{
		{nil, "", job.Failure{Reason: "SET_ASIDE", Message: "its task was set aside"}},
		{nil, "3 deliveries were lost", job.Failure{Reason: "SET_ASIDE", Message: "its task was set aside: 3 deliveries were lost"}},
		{away, away.Message, job.Failure{Reason: "STORAGE_AWAY", Message: "it was tried 4 times; the last time: storage does not answer", Variant: "a"}},
		{away, "lost", job.Failure{Reason: "SET_ASIDE", Variant: "a",
			Message: "its task was set aside: lost; the last attempt that could tell failed with STORAGE_AWAY: storage does not answer"}},
	} {
		if got := why(job.Job{Attempts: 4, Failure: c.last}, c.reason); got != c.want {
			t.Errorf("after %+v, %q: %+v, want %+v", c.last, c.reason, got, c.want)
		}
	}
}
