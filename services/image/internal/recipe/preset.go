package recipe

import (
	"maps"
	"slices"
	"strings"

	"calotype/kit/fault"
)

// Preset is a recipe with a name.
type Preset struct {
	Name        string
	Description string
	Recipe      Recipe
}

// PresetConfig describes a preset in the words of the URL grammar. Variants are "name:options" each, for example
// "small:w_320,f_webp"; a preset without any is switched off.
type PresetConfig struct {
	Description string   `koanf:"description" doc:"what the preset is for"`
	Variants    []string `koanf:"variants" doc:"name:options each, for example small:w_320,f_webp; none switches the preset off"`
}

// Presets are the presets of a configuration by name.
type Presets map[string]PresetConfig

// DefaultPresets are the built-in ones.
func DefaultPresets() Presets {
	return Presets{
		"thumb": {"Square thumbnails for lists and avatars, cut around what draws attention.", []string{
			"thumb:c_fill,g_auto,h_256,w_256/f_webp",
			"thumb_small:c_fill,g_auto,h_96,w_96/f_webp",
		}},
		"card": {"Pictures for cards at 16:9, plain and for dense screens, and one for link previews, whose readers know JPEG best.", []string{
			"card:c_fill,g_auto,h_360,w_640/f_webp",
			"card_2x:c_fill,dpr_2,g_auto,h_360,w_640/f_webp,q_70",
			"social:c_fill,g_auto,h_630,w_1200/f_jpeg",
		}},
		"web": {"Widths for a responsive page (srcset) in WebP, and a JPEG for whoever cannot show that. Nothing is enlarged.", []string{
			"w320:w_320/f_webp",
			"w640:w_640/f_webp",
			"w1280:w_1280/f_webp",
			"w1920:w_1920/f_webp",
			"fallback:w_1280/f_jpeg",
		}},
		"hero": {"A full-width picture: AVIF and WebP for wide screens, a JPEG, and a blurred spot to show while they load.", []string{
			"wide:w_2560/f_webp",
			"wide_avif:w_1920/f_avif",
			"fallback:w_1920/f_jpeg",
			"placeholder:w_32/e_blur:1/f_webp,q_40",
		}},
	}
}

// Validate finds everything that is wrong, under paths like "web.variants[1].options[0].w".
func (c Presets) Validate() []fault.Field {
	_, fields := c.compile()
	return fields
}

// Compile reads the presets, ordered by name.
// Fails with fault.Invalid, reason BAD_PRESETS, and all faults at once.
func (c Presets) Compile() (Catalog, error) {
	catalog, fields := c.compile()
	if len(fields) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_PRESETS", Message: "the presets are wrong", Fields: fields}
	}
	return catalog, nil
}

func (c Presets) compile() (Catalog, []fault.Field) {
	var catalog Catalog
	var fields []fault.Field
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if len(c[name].Variants) == 0 {
			continue
		}
		if !validName.MatchString(name) {
			fields = append(fields, fault.Field{Path: name, Message: "a preset's name is 1..64 of a-z, 0-9, '-', '_'"})
		}
		variants, err := ParseNamed(c[name].Variants)
		if e := fault.As(err); e != nil {
			fields = append(fields, prefixed(name+".", e.Fields)...)
			continue
		}
		p := Preset{Name: name, Description: c[name].Description, Recipe: Recipe{variants}}
		fields = append(fields, prefixed(name+".", p.Recipe.Check())...)
		catalog = append(catalog, p)
	}
	return catalog, fields
}

// Catalog is the presets in force, ordered by name.
type Catalog []Preset

// Get finds a preset. Fails with fault.Invalid, reason UNKNOWN_PRESET, and says which was probably meant.
func (c Catalog) Get(name string) (Preset, error) {
	var names []string
	for _, p := range c {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	e := fault.New(fault.Invalid, "UNKNOWN_PRESET", "there is no such preset")
	if len(names) == 0 {
		e.Fields = []fault.Field{{Path: "preset", Message: "there are no presets"}}
	} else {
		e.Fields = []fault.Field{{Path: "preset", Message: wrongWord("preset", strings.ToValidUTF8(name, "?"), names)}}
	}
	return Preset{}, e
}
