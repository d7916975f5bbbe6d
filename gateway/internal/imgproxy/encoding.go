package imgproxy

import "calotype/gateway/internal/compat"

// encoding are the options of one encoder each. What they ask for beside flags that Calotype has is refused when it is switched on.
var encoding = map[string]reading{
	"jpeg_options": func(p *parser, a *args) error {
		return p.flags(a, "jpeg", []string{"progressive", "chroma_444"}, "trellis_quant", "overshoot_deringing", "optimize_scans", "quant_table")
	},
	"png_options": func(p *parser, a *args) error {
		if a.at(2) != "" && a.integer(2, 256, 2, 256) != 256 {
			return compat.Refuse("imgproxy's png_options with quantization_colors")
		}
		return p.flags(a, "png", []string{"progressive", "png8"})
	},
	"webp_options": func(p *parser, a *args) error {
		switch a.at(0) {
		case "", "lossy":
		case "lossless":
			p.encoder("webp", "lossless")
		default:
			return compat.Refuse("imgproxy's webp_options with the compression %.40q", a.at(0))
		}
		if a.truth(1, false) {
			return compat.Refuse("imgproxy's webp_options with smart_subsample")
		}
		if a.at(2) != "" && a.at(2) != "default" {
			return compat.Refuse("imgproxy's webp_options with a preset")
		}
		return nil
	},
}

func (p *parser) encoder(format, flag string) {
	if p.out.encoders == nil {
		p.out.encoders = map[string][]string{}
	}
	p.out.encoders[format] = append(p.out.encoders[format], flag)
}

// flags reads arguments that are flags, and behind them others that must be off.
func (p *parser) flags(a *args, format string, flags []string, off ...string) error {
	delete(p.out.encoders, format)
	for i, flag := range flags {
		if a.truth(i, false) {
			p.encoder(format, flag)
		}
	}
	for i, name := range off {
		if v := a.at(len(flags) + i); v != "" && v != "0" && v != "f" && v != "false" {
			return compat.Refuse("imgproxy's %s with %s", a.name, name)
		}
	}
	return nil
}
