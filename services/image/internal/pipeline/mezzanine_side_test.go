package pipeline

import (
	"os"
	"runtime"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/bench/pixels"
)

// What is made of copies of 2560 pixels, beside the same made of the originals: the photographs of a corpus that are large enough, and one of
// them as an AVIF. The copies are there.
func BenchmarkPixelsOfCopies(b *testing.B) {
	const m = Mezzanine(2560)
	e := engine(b)
	originals, copies := map[string][]job.Input{}, map[string][]job.Input{}
	add := func(kind string, data []byte) {
		in, _ := e.copied(b, m, data)
		originals[kind], copies[kind] = append(originals[kind], job.Input{Data: data}), append(copies[kind], in)
	}
	for _, name := range pixels.Originals(b, "photo") {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if m.Reduces(data) {
			add("photo", data)
		}
	}
	if len(copies["photo"]) == 0 {
		pixels.Say("no photograph is large enough for a copy: set TEST_CORPUS")
		return
	}
	add("avif", e.make(b, originals["photo"][0].Data, variant(recipe.AVIF, recipe.Resize{Width: 4000, Height: 4000})).Data)
	single, set := pixels.Tasks()[0], pixels.Set()
	single.At, single.Rounds = []int{1, 2}, 1
	avif, avifs := single, set
	avif.Name, avif.Kind, avif.At = "JPEG 512 of an AVIF", "avif", []int{1}
	avifs.Name, avifs.Kind, avifs.At = "set of 6 of an AVIF", "avif", []int{1}
	made := func(of map[string][]job.Input) func(testing.TB, pixels.Task, int) pixels.Lap {
		return func(tb testing.TB, t pixels.Task, callers int) pixels.Lap {
			var list []recipe.Variant
			for _, s := range t.Shapes {
				v, err := recipe.Parse(s.Options)
				if err != nil {
					tb.Fatal(err)
				}
				list = append(list, v)
			}
			runtime.GC() // what the turns before left is not of this one
			return pixels.Turn(tb, len(of[t.Kind]), t.Rounds, callers, used, func(file int) (int, int64, error) {
				done, err := e.Render(tb.Context(), of[t.Kind][file], list, nil)
				var bytes int64
				for _, r := range done {
					bytes += int64(len(r.Data))
				}
				return len(done), bytes, err
			})
		}
	}
	pixels.Compare(b, []pixels.Task{single, set, avif, avifs},
		pixels.Contender{Name: "of originals", Turn: made(originals)}, pixels.Contender{Name: "of copies", Turn: made(copies)})
}
