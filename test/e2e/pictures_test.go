package e2e

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "golang.org/x/image/webp"

	imagev1 "calotype/proto/image/v1"
)

// good is what each test picture must be told to be, and must come out as: w_100 in PNG, whose pixels the test can read.
var good = []struct {
	file, format  string
	width, height int32
	pages         int32
}{
	{"photo.jpg", "jpeg", 1200, 900, 1},
	{"progressive.jpg", "jpeg", 640, 480, 1},
	{"photo.webp", "webp", 640, 480, 1},
	{"photo.avif", "avif", 640, 480, 1},
	{"photo.heic", "heic", 640, 480, 1},
	{"small.tif", "tiff", 160, 120, 1},
	{"cmyk.jpg", "jpeg", 160, 120, 1},
	{"adobergb.jpg", "jpeg", 323, 215, 1},
	{"p3.png", "png", 8, 8, 1},
	{"banana.gif", "gif", 121, 128, 8},
	{"squares.webp", "webp", 80, 80, 9},
	{"orientation-3.jpg", "jpeg", 120, 80, 1},
	{"orientation-6.jpg", "jpeg", 120, 80, 1},
	{"orientation-8.jpg", "jpeg", 120, 80, 1},
	{"bad/polyglot.jpg", "jpeg", 0, 0, 1},
	{"bad/text-bomb.png", "png", 0, 0, 1},
}

func TestPictures(t *testing.T) {
	s := up(t, t.TempDir())
	for _, g := range good {
		t.Run(g.file, func(t *testing.T) {
			a, err := upload(within(t), s.base, "", url.Values{"preset": {"web"}, "variants": {"pixels:w_100,h_100/f_png"}}, picture(t, g.file))
			if err != nil {
				t.Fatal(err)
			}
			made := &imagev1.CreateImageResponse{}
			read(t, a, http.StatusCreated, made)
			im := made.Image
			if im.Format != g.format || im.Pages != g.pages || g.width != 0 && (im.Width != g.width || im.Height != g.height) {
				t.Errorf("it is taken for %v", im)
			}
			job := ended(t, s.base, made.Job.Id)
			if job.State != imagev1.Job_SUCCEEDED || len(job.Results) != 6 {
				t.Fatalf("the job ended %v with %d results: %v", job.State, len(job.Results), job.Failure)
			}
			for _, r := range job.Results {
				b := download(t, s.base, job, r)
				if bytes.Contains(b, []byte("<html")) || bytes.Contains(b, []byte("Exif")) {
					t.Errorf("variant %s holds something foreign", r.Name)
				}
				c, format, err := image.DecodeConfig(bytes.NewReader(b))
				if err != nil || format != r.Format || c.Width != int(r.Width) || c.Height != int(r.Height) {
					t.Errorf("variant %s is %s %dx%d (%v), the job says %v", r.Name, format, c.Width, c.Height, err, r)
				}
				if ratio := float64(r.Width) / float64(r.Height) * float64(im.Height) / float64(im.Width); ratio < 0.95 || ratio > 1.05 {
					t.Errorf("variant %s is %dx%d, of an original of %dx%d", r.Name, r.Width, r.Height, im.Width, im.Height)
				}
			}
		})
	}
}

// TestOrientation looks at the pixels: in every orientation's picture, red and green are above, blue and yellow below.
func TestOrientation(t *testing.T) {
	s := up(t, t.TempDir())
	for n := 1; n <= 8; n++ {
		a, err := upload(within(t), s.base, "", nil, picture(t, fmt.Sprintf("orientation-%d.jpg", n)))
		if err != nil {
			t.Fatal(err)
		}
		made := &imagev1.CreateImageResponse{}
		read(t, a, http.StatusCreated, made)
		got := get(t, s.base+"/i/w_40/"+made.Image.Id+".png")
		im, _, err := image.Decode(bytes.NewReader(got.body))
		if err != nil {
			t.Fatalf("orientation %d: %d %v", n, got.status, err)
		}
		b := im.Bounds()
		for _, corner := range []struct {
			x, y int
			want [3]bool // red, green, blue
		}{
			{b.Min.X + 4, b.Min.Y + 4, [3]bool{true, false, false}},
			{b.Max.X - 5, b.Min.Y + 4, [3]bool{false, true, false}},
			{b.Min.X + 4, b.Max.Y - 5, [3]bool{false, false, true}},
			{b.Max.X - 5, b.Max.Y - 5, [3]bool{true, true, false}},
		} {
			r, g, b, _ := im.At(corner.x, corner.y).RGBA()
			if have := [3]bool{r > 1<<15, g > 1<<15, b > 1<<15}; have != corner.want {
				t.Errorf("orientation %d: at %d,%d is %v, want %v", n, corner.x, corner.y, have, corner.want)
			}
		}
	}
}

// TestHostileFiles uploads what harms: each is refused with a reason, the process stays small, and the next photograph is
// processed as if nothing had been.
func TestHostileFiles(t *testing.T) {
	s := up(t, t.TempDir())
	files, err := filepath.Glob(filepath.Join(root, "test", "pictures", "bad", "*"))
	if err != nil || len(files) < 15 {
		t.Fatalf("only %d hostile files: %v", len(files), err)
	}
	pictures := []string{"polyglot.jpg", "text-bomb.png"} // they are what their names say, beside what else they are
	for _, file := range files {
		name := filepath.Base(file)
		if slices.Contains(pictures, name) {
			continue
		}
		a, err := upload(within(t), s.base, "", url.Values{"preset": {"web"}}, picture(t, "bad/"+name))
		if err != nil {
			t.Fatal(err)
		}
		if a.status == http.StatusCreated { // damage that only the pixels show is told by the job
			made := &imagev1.CreateImageResponse{}
			read(t, a, http.StatusCreated, made)
			if job := ended(t, s.base, made.Job.Id); job.State != imagev1.Job_FAILED || job.Failure.GetReason() != "BROKEN_IMAGE" {
				t.Errorf("%s: %v %v", name, job.State, job.Failure)
			}
			continue
		}
		p := a.problem()
		if a.status < 400 || a.status > 499 || p.Status != a.status || p.Reason == "" || p.Detail == "" || p.RequestID != a.header.Get("X-Request-Id") ||
			a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s", name, a.status, a.header, a.body)
		}
	}
	if _, job := process(t, s.base, "web", picture(t, "photo.jpg")); job.State != imagev1.Job_SUCCEEDED {
		t.Errorf("after them, a photograph ended %v: %v", job.State, job.Failure)
	}
	if peak := peakMemory(t, s.Pid()); peak > 512<<20 {
		t.Errorf("the process came to %d MiB", peak>>20)
	}
}

// peakMemory is the most that a process ever held, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("the kernel does not tell")
	return 0
}
