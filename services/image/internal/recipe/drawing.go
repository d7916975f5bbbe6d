package recipe

// drawn is how many bytes a pixel of a drawing comes to at most, where nothing was lost: screenshots, logos and diagrams come to 0.02 to
// 0.3, photographs to more than 1.
const drawn = 0.5

// drawing reports whether an original is flat graphics rather than a photograph, as far as its file tells: a still without loss that is small
// for its pixels.
func (src Source) drawing(page int) bool {
	return (src.Format == "png" || src.Format == "gif") && (src.Pages <= 1 || page > 0) && src.Bytes > 0 &&
		float64(src.Bytes) < drawn*float64(src.Width)*float64(src.Height)*float64(max(1, src.Pages))
}

// content lets the engine choose between loss and none, where nobody said a quality of a drawing.
func (v Variant) content(src Source) Variant {
	o := &v.Output
	if o.Format == WebP && o.Quality == 0 && src.drawing(o.Page) && !o.Lossless && o.AutoQuality == NoTarget {
		o.AutoQuality = TargetGood
	}
	return v
}
