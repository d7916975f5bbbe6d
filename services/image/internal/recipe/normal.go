package recipe

// normal gives a variant the one form in which equal variants are equal: modes and gravities filled in, colours in one spelling, numbers
// with at most the digits that the grammar has, nothing that changes nothing.
// It shares no memory with v. A variant that Check refuses stays wrong.
func (v Variant) normal() Variant {
	steps := v.Steps
	v.Steps = nil
	for _, s := range steps {
		switch t := s.(type) {
		case Resize:
			s = t.normal()
		case Crop:
			s = t.normal()
		case Blur:
			s = Blur{Sigma: micro(t.Sigma), Region: t.Region}
		case Sharpen:
			s = Sharpen{Sigma: micro(t.Sigma)}
		case Adjust:
			t = t.normal()
			if t.idle() {
				continue
			}
			s = t
		case Pixelate:
			s = t.normal()
		case Frame:
			s = t.normal()
		case Trim:
			s = t.normal()
		case Gradient:
			t = t.normal()
			if t.idle() {
				continue
			}
			s = t
		case Convolve:
			t = t.normal()
			if t.idle() {
				continue
			}
			s = t
		case Overlay:
			s = t.normal()
		}
		v.Steps = append(v.Steps, s)
	}
	v.Output.Space = v.Output.Space.normal()
	v = v.normalSet()
	v.Output.Background, _ = v.Output.Background.normal()
	v.Output.Scaling = v.Output.Scaling.normal()
	v.Output.StripProfile = v.Output.StripProfile && v.Output.KeepMetadata // else it goes anyway
	return v
}

func (s Resize) normal() Resize {
	s = s.Meant()
	if s.Mode == "" {
		s.Mode = Limit
	}
	if s.Gravity == "" && s.Mode.framed() {
		s.Gravity = Center
	}
	s.Background, _ = s.Background.normal()
	s.Focus, s.Boxes = s.Focus.normal(), normalBoxes(s.Boxes)
	return s
}

func (s Crop) normal() Crop {
	s.Focus, s.Boxes = s.Focus.normal(), normalBoxes(s.Boxes)
	if s.Gravity == "" {
		s.Gravity = Center
	}
	return s
}
