package recipe

import (
	"math"
	"slices"

	"calotype/kit/fault"
)

// MaxFactor bounds the numbers of a matrix, both ways.
const MaxFactor = 1000

// Convolve makes each pixel of what is around it; transparency stays.
type Convolve struct {
	Matrix    []float64 // 3 x 3 or 5 x 5, row by row from the top: how much each neighbour counts
	Normalize bool      // the sum is divided by that of the matrix, unless that is 0
}

func (Convolve) step() {}

// whole is a matrix's number in millionths, which is what the grammar can write.
func whole(weight float64) int64 { return int64(math.Round(weight * 1e6)) }

// Whole gives a valid matrix in millionths, and by what the sum of its products is divided.
func (s Convolve) Whole() (weights []int64, by int64) {
	sum := int64(0)
	for _, w := range s.Matrix {
		weights = append(weights, whole(w))
		sum += whole(w)
	}
	if s.Normalize && sum != 0 {
		return weights, sum
	}
	return weights, 1e6
}

func (s Convolve) normal() Convolve {
	s.Matrix = slices.Clone(s.Matrix)
	for i, w := range s.Matrix {
		s.Matrix[i] = micro(w)
	}
	if _, by := s.Whole(); by == 1e6 {
		s.Normalize = false
	}
	return s
}

// idle reports whether a normal step changes nothing: a pixel counts once, and no other does.
func (s Convolve) idle() bool {
	weights, by := s.Whole()
	for i, w := range weights {
		if i == len(weights)/2 && w != by || i != len(weights)/2 && w != 0 {
			return false
		}
	}
	return len(weights) > 0
}

func checkConvolve(s Convolve) []fault.Field {
	c := checker{of: "convolve"}
	if n := len(s.Matrix); n != 9 && n != 25 {
		c.fault("matrix", "%d numbers are no matrix of 3 x 3 or 5 x 5", n)
		return c.fields
	}
	for _, w := range s.Matrix {
		if !(w >= -MaxFactor && w <= MaxFactor) { // so that NaN is wrong too
			c.fault("matrix", "%g is not within %d..%d", w, -MaxFactor, MaxFactor)
		}
	}
	return c.fields
}

func (o *options) convolve(s Convolve) {
	text := "convolve"
	for _, w := range s.Matrix {
		text += ":" + decimal(w)
	}
	if s.Normalize {
		text += ":normalize"
	}
	o.text("e", text)
}

// convolve reads e_convolve:number:number:...:normalize, of which the last may be left out.
func (p *parser) convolve(t part, o option, values []string) {
	var s Convolve
	if n := len(values); n > 0 && values[n-1] == "normalize" {
		s.Normalize, values = true, values[:n-1]
	}
	if len(values) != 9 && len(values) != 25 {
		p.wrong(o, "it has 9 or 25 numbers, row by row, and perhaps normalize, as in e_convolve:0:-1:0:-1:5:-1:0:-1:0")
		return
	}
	before := len(p.fields)
	for _, v := range values {
		s.Matrix = append(s.Matrix, p.signed(o.of(v)))
	}
	if len(p.fields) == before {
		p.add(t, s)
	}
}
