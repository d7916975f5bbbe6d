package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/bench/pixels"
	"calotype/test/servers"
)

// web keeps a connection for each caller.
var web = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}

// Pictures by HTTP from `calotype up`, with originals in the worker's memory, without, and with reduced copies of large ones, beside sharp behind Node's server
// reading local files. All have the same two cores, those who ask included, and all are on the libvips of sharp; with LIBVIPS=machine Calotype is on the machine's, and
// both libraries are measured alone, too, which gives what the ratios would be on one.
func BenchmarkServers(b *testing.B) {
	besideSharp(b, "calotype", []string{"./cmd/calotype"}, func(bin string, files map[string][]string, env ...string) *suite {
		return newSuite(b, filepath.Join(bin, "calotype"), files, env...)
	})
}

// besideSharp compares three of a kind of Calotype, which differ in what their worker keeps: nothing, originals, or reduced copies of them, too.
func besideSharp(b *testing.B, name string, packages []string, start func(bin string, files map[string][]string, env ...string) *suite) {
	b.Helper()
	tasks := append(pixels.Tasks(), pixels.Set())
	files := map[string][]string{}
	for _, t := range tasks {
		files[t.Kind] = pixels.Originals(b, t.Kind)
	}
	sharp := map[string]*pixels.Sharp{}
	for kind, list := range files {
		sharp[kind] = pixels.NewSharp(b, filepath.Dir(list[0]))
	}
	theirs := pixels.NewBare(b, sharp["photo"].Library)
	ours, library := theirs, sharp["photo"].Library
	if os.Getenv("LIBVIPS") == "machine" {
		ours, library = pixels.NewBare(b, ""), ""
	}
	bin := b.TempDir()
	pixels.Build(b, bin, library, packages...)
	cold, hot := start(bin, files, "CALOTYPE_WORKER__ORIGINALS__MEMORY=0"), start(bin, files)
	reduced := start(bin, files, "CALOTYPE_WORKER__MEZZANINE=2560")
	mine, other := "bare libvips "+ours.Version, "bare libvips "+theirs.Version
	alone := func(bare *pixels.Bare) func(testing.TB, pixels.Task, int) pixels.Lap {
		return func(tb testing.TB, t pixels.Task, callers int) pixels.Lap {
			return bare.Turn(tb, t, files[t.Kind], nil, callers)
		}
	}
	contenders := []pixels.Contender{
		{Name: "sharp", On: other, Turn: func(tb testing.TB, t pixels.Task, callers int) pixels.Lap {
			s, list := sharp[t.Kind], files[t.Kind]
			return pixels.Turn(tb, len(list), t.Rounds, callers, timeOf(tb, s.Pid()), func(file int) (int, int64, error) {
				var size int64
				for _, shape := range t.Shapes {
					n, err := fetch(tb.Context(), s.URL(shape, list[file]))
					if size += n; err != nil {
						return 0, 0, err
					}
				}
				return len(t.Shapes), size, nil
			})
		}},
		{Name: other, Turn: alone(theirs)},
	}
	if ours != theirs {
		contenders = append(contenders, pixels.Contender{Name: mine, Turn: alone(ours)})
	}
	pixels.Say("%s; calotype on libvips %s", sharp["photo"].Version, ours.Version)
	pixels.Compare(b, tasks, append(contenders,
		pixels.Contender{Name: name + ", originals stored", On: mine, Turn: cold.turn},
		pixels.Contender{Name: name + ", originals kept", On: mine, Turn: hot.turn},
		pixels.Contender{Name: name + ", copies kept", On: mine, Turn: reduced.turn},
	)...)
	for kind, s := range sharp {
		pixels.Say("most memory: sharp, %s: %d MB", kind, pixels.Peak(b, s.Pid()))
	}
	pixels.Say("most memory, originals stored: %s\nmost memory, originals kept: %s\nmost memory, copies kept: %s", cold.peaks(b), hot.peaks(b), reduced.peaks(b))
}

func timeOf(tb testing.TB, pid int) func() time.Duration {
	return func() time.Duration { return pixels.Used(tb, pid) }
}

// suite is Calotype with the originals: one process, or several.
type suite struct {
	processes map[string]*servers.Process
	base      string // of REST
	worker    imagev1.TransformerClient
	images    map[string][]*imagev1.Image // by kind, as the files are
	asked     atomic.Int32
}

var (
	restLine   = regexp.MustCompile(`REST +(http://\S+)/v1/images`)
	workerLine = regexp.MustCompile(`gRPC \S*worker\S* +(\S+)\n`)
)

func newSuite(b *testing.B, program string, files map[string][]string, env ...string) *suite {
	b.Helper()
	s := &suite{}
	s.processes = map[string]*servers.Process{"calotype up": servers.Run(b, servers.Program{
		Path: program, Args: []string{"up", "--data", b.TempDir(), "--listen", "127.0.0.1:0"},
		Env: append([]string{"CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_LOG__LEVEL=warn"}, env...),
		Ready: func(_ context.Context, p *servers.Process) error {
			rest, worker := restLine.FindStringSubmatch(p.Log()), workerLine.FindStringSubmatch(p.Log())
			if rest == nil || worker == nil {
				return errors.New("it has not said that it is up")
			}
			s.base = rest[1]
			return s.reach(worker[1])
		},
	})}
	s.keep(b, files)
	return s
}

// reach connects to the worker at an address.
func (s *suite) reach(worker string) error {
	conn, err := grpc.NewClient(worker, grpc.WithTransportCredentials(insecure.NewCredentials()))
	s.worker = imagev1.NewTransformerClient(conn)
	return err
}

// keep uploads the originals.
func (s *suite) keep(b *testing.B, files map[string][]string) {
	b.Helper()
	s.images = map[string][]*imagev1.Image{}
	for kind, list := range files {
		for _, name := range list {
			s.images[kind] = append(s.images[kind], s.upload(b, name))
		}
	}
}

// used is the processor time of all processes, and of those below them.
func (s *suite) used() (sum time.Duration) {
	for _, p := range s.processes {
		sum += cpu(p.Pid())
	}
	return sum
}

// peaks says how much memory each process had at most.
func (s *suite) peaks(b *testing.B) string {
	b.Helper()
	var all []string
	for name, p := range s.processes {
		all = append(all, fmt.Sprintf("%s %d MB", name, pixels.Peak(b, p.Pid())))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (s *suite) upload(b *testing.B, name string) *imagev1.Image {
	b.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	res, err := web.Post(s.base+"/v1/images", "application/octet-stream", bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	made := &imagev1.CreateImageResponse{}
	if err = errors.Join(err, protojson.Unmarshal(body, made)); err != nil || made.GetImage().GetId() == "" {
		b.Fatalf("upload %s: %s, %v: %s", name, res.Status, err, body)
	}
	return made.GetImage()
}

// turn asks for single pictures by address, and for a set in one call to the worker.
func (s *suite) turn(tb testing.TB, t pixels.Task, callers int) pixels.Lap {
	images := s.images[t.Kind]
	return pixels.Turn(tb, len(images), t.Rounds, callers, s.used, func(file int) (int, int64, error) {
		if len(t.Shapes) == 1 {
			n, err := fetch(tb.Context(), s.base+"/i/"+t.Shapes[0].Options+",b_"+s.paper()+"/"+images[file].GetId())
			return 1, n, err
		}
		return s.set(tb.Context(), t, images[file])
	})
}

// paper is a colour that shows nowhere and that nobody has asked for yet: no two calls are equal, or they would share one run.
func (s *suite) paper() string { return fmt.Sprintf("%06x", s.asked.Add(1)) }

func (s *suite) set(ctx context.Context, t pixels.Task, image *imagev1.Image) (made int, size int64, err error) {
	req, paper := &imagev1.TransformRequest{Digest: image.GetDigest()}, s.paper()
	for i, shape := range t.Shapes {
		to := &imagev1.Resize{Width: int32(shape.Width), Height: int32(shape.Height)}
		if shape.Height > 0 {
			to.Mode, to.Gravity = "fill", "auto"
		}
		req.Variants = append(req.Variants, &imagev1.Variant{
			Name: fmt.Sprint(i), Operations: []*imagev1.Operation{{Op: &imagev1.Operation_Resize{Resize: to}}},
			Output: &imagev1.Output{Format: shape.Format, Quality: int32(shape.Quality), Background: paper},
		})
	}
	answers, err := s.worker.Transform(ctx, req)
	for err == nil {
		var answer *imagev1.TransformResponse
		if answer, err = answers.Recv(); err == nil {
			size += int64(len(answer.GetChunk()))
			if answer.GetResult() != nil {
				made++
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return made, size, err
}

// fetch reads a picture and counts its bytes.
func fetch(ctx context.Context, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, res.Status)
	}
	return n, err
}
