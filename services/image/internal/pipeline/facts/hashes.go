package facts

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"github.com/buckket/go-blurhash"
	"golang.org/x/image/draw"
)

// within is the largest size of a picture's shape that has no more pixels a side, and the picture's own where that is less.
func within(im *image.NRGBA, side int) image.Point {
	s := im.Bounds().Size()
	by := min(1, float64(side)/float64(max(s.X, s.Y)))
	return image.Pt(max(1, int(math.Round(float64(s.X)*by))), max(1, int(math.Round(float64(s.Y)*by))))
}

// reduce gives each pixel the mean of those it stands for.
func reduce(im *image.NRGBA, to image.Point) *image.NRGBA {
	if to == im.Bounds().Size() {
		return im
	}
	out := image.NewNRGBA(image.Rectangle{Max: to})
	draw.BiLinear.Scale(out, out.Rect, im, im.Bounds(), draw.Src, nil)
	return out
}

// blurHash describes 4 x 3 waves, or 3 x 4 of a picture that is higher than wide. It knows no transparency: what lets through is white.
func blurHash(im *image.NRGBA) (string, error) {
	across, down := 4, 3
	if s := im.Bounds().Size(); s.Y > s.X {
		across, down = 3, 4
	}
	small := reduce(im, within(im, 32))
	paper := image.NewRGBA(small.Bounds())
	draw.Draw(paper, paper.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(paper, paper.Rect, small, image.Point{}, draw.Over)
	return blurhash.Encode(across, down, paper)
}

// pHash is one bit for each of the 8 x 8 lowest frequencies of the lightness of 32 x 32 pixels: whether there is more of it than of the
// median one. Rows from the top, the first bit the highest (as in the Python library ImageHash).
func pHash(im *image.NRGBA) string {
	const side, low = 32, 8
	p := lightness(reduce(im, image.Pt(side, side)))
	var wave [low][side]float64 // DCT-II
	for k := range low {
		for x := range side {
			wave[k][x] = math.Cos(math.Pi / side * float64(k) * (float64(x) + 0.5))
		}
	}
	var rows [side][low]float64
	for y := range side {
		for k := range low {
			for x := range side {
				rows[y][k] += p.v[y*side+x] * wave[k][x]
			}
		}
	}
	var f [low * low]float64
	for k := range low {
		for l := range low {
			for y := range side {
				f[k*low+l] += rows[y][l] * wave[k][y]
			}
			f[k*low+l] = math.Round(f[k*low+l]*1e6) / 1e6 // what is none but for rounding is none
		}
	}
	sorted := f
	slices.Sort(sorted[:])
	median := (sorted[low*low/2-1] + sorted[low*low/2]) / 2
	var bits uint64
	for _, v := range f {
		bits <<= 1
		if v > median {
			bits |= 1
		}
	}
	return fmt.Sprintf("%016x", bits)
}
