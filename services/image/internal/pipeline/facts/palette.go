package facts

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"
)

const (
	colors = 8    // that are looked for
	told   = 6    // at most
	alike  = 0.07 // colours that are nearer to each other in Oklab are one
	speck  = 0.01 // smaller parts are not told
)

// average is the mean of the colours' numbers, each as much as it shows.
func average(im *image.NRGBA) string {
	var sum [3]float64
	weight := 0.0
	for i := 0; i < len(im.Pix); i += 4 {
		a := float64(im.Pix[i+3])
		for k := range sum {
			sum[k] += a * float64(im.Pix[i+k])
		}
		weight += a
	}
	if weight == 0 {
		return "000000"
	}
	return fmt.Sprintf("%02x%02x%02x", int(sum[0]/weight+0.5), int(sum[1]/weight+0.5), int(sum[2]/weight+0.5))
}

// spot is a colour in Oklab and how much there is of it.
type spot struct {
	lab    [3]float64
	weight float64
}

// palette finds the colours of which there is most: k-means in Oklab over the colours of 4 bits a channel, begun with those that are
// frequent and far from each other, so that nothing is left to chance.
func palette(im *image.NRGBA) []Share {
	spots, total := gather(im)
	if len(spots) == 0 {
		return []Share{}
	}
	centres := begin(spots)
	for range 12 {
		centres = settle(spots, centres)
	}
	centres = merge(centres)
	slices.SortStableFunc(centres, func(a, b spot) int { return cmp.Compare(b.weight, a.weight) })
	var shares []Share
	for _, c := range centres[:min(len(centres), told)] {
		if share := c.weight / total; share >= speck || len(shares) == 0 {
			shares = append(shares, Share{Color: hex(c.lab), Share: round(share)})
		}
	}
	return shares
}

// gather counts colours of 4 bits a channel; each is the mean of what fell into it.
func gather(im *image.NRGBA) (spots []spot, total float64) {
	var sums [4096][4]float64
	for i := 0; i < len(im.Pix); i += 4 {
		c := im.Pix[i : i+4]
		a := float64(c[3]) / 255
		s := &sums[int(c[0]>>4)<<8|int(c[1]>>4)<<4|int(c[2]>>4)]
		for k := range 3 {
			s[k] += a * float64(c[k])
		}
		s[3] += a
	}
	for _, s := range sums {
		if s[3] > 0 {
			spots = append(spots, spot{oklab(s[0]/s[3], s[1]/s[3], s[2]/s[3]), s[3]})
			total += s[3]
		}
	}
	return spots, total
}

func distance(a, b [3]float64) (d float64) {
	for k := range a {
		d += (a[k] - b[k]) * (a[k] - b[k])
	}
	return d
}

// nearest gives the centre that is nearest, and how far it is, squared.
func nearest(lab [3]float64, centres []spot) (at int, least float64) {
	least = math.Inf(1)
	for i, c := range centres {
		if d := distance(lab, c.lab); d < least {
			at, least = i, d
		}
	}
	return at, least
}

func begin(spots []spot) []spot {
	centres := []spot{slices.MaxFunc(spots, func(a, b spot) int { return cmp.Compare(a.weight, b.weight) })}
	for len(centres) < min(colors, len(spots)) {
		best, most := spot{}, 0.0
		for _, s := range spots {
			if _, d := nearest(s.lab, centres); d*s.weight > most {
				best, most = s, d*s.weight
			}
		}
		if most == 0 {
			break
		}
		centres = append(centres, best)
	}
	return centres
}

func settle(spots, centres []spot) []spot {
	moved := make([]spot, len(centres))
	for _, s := range spots {
		i, _ := nearest(s.lab, centres)
		for k := range s.lab {
			moved[i].lab[k] += s.weight * s.lab[k]
		}
		moved[i].weight += s.weight
	}
	for i := range moved {
		for k := range moved[i].lab {
			moved[i].lab[k] /= max(moved[i].weight, 1e-9)
		}
	}
	return slices.DeleteFunc(moved, func(s spot) bool { return s.weight == 0 })
}

// merge makes one of colours that look alike.
func merge(centres []spot) []spot {
	for i := 0; i < len(centres); i++ {
		for j := i + 1; j < len(centres); j++ {
			if distance(centres[i].lab, centres[j].lab) < alike*alike {
				a, b := centres[i], centres[j]
				for k := range a.lab {
					a.lab[k] = (a.lab[k]*a.weight + b.lab[k]*b.weight) / (a.weight + b.weight)
				}
				a.weight += b.weight
				centres[i], centres = a, slices.Delete(centres, j, j+1)
				i, j = -1, len(centres) // from the beginning
			}
		}
	}
	return centres
}
