package manager

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Work is what is to be made: a preset or a recipe, and further variants as named options of the URL grammar.
type Work struct {
	Preset   string
	Recipe   *recipe.Recipe
	Variants []string
}

// None reports whether nothing is asked for.
func (w Work) None() bool { return w.Preset == "" && w.Recipe == nil && len(w.Variants) == 0 }

// once fails unless exactly one kind of work is asked for: a preset, or a recipe or variants.
func (w Work) once() error {
	switch {
	case w.None():
		return wrong("BAD_RECIPE", fault.Field{Path: "preset", Message: "is missing; a preset, a recipe or variants are needed"})
	case w.Preset != "" && len(w.Variants) > 0:
		return wrong("BAD_RECIPE", fault.Field{Path: "preset", Message: "is given together with variants; choose one"})
	}
	return nil
}

// book turns work into a recipe, by the presets of one moment. What it came to lately it remembers: much is asked for again and again.
type book struct {
	presets  recipe.Catalog
	checked  *lru.Cache[named, recipe.Recipe]
	resolved *lru.Cache[looked, recipe.Recipe]
}

const mostKnown = 1000 // recipes of each kind

// named is work that words alone say.
type named struct{ preset, variants string }

// looked is such work on originals that make no difference to it.
type looked struct {
	named
	source recipe.Source
}

func newBook(presets recipe.Catalog) *book {
	checked, _ := lru.New[named, recipe.Recipe](mostKnown) // their only error is a size below 1
	resolved, _ := lru.New[looked, recipe.Recipe](mostKnown)
	return &book{presets: presets, checked: checked, resolved: resolved}
}

// named gives what a book remembers w by; false when it is not remembered.
func (w Work) named() (named, bool) {
	n := named{w.Preset, strings.Join(w.Variants, "\n")}
	return n, w.Recipe == nil && len(n.variants) <= recipe.MaxOptions && strings.Count(n.variants, "\n") == max(0, len(w.Variants)-1)
}

// books is the book in force. A request looks once: what it began with it ends with.
type books struct{ atomic.Pointer[book] }

// check finds what is wrong with w whatever the original, so that a bad recipe costs no look at the picture.
func (b *book) check(w Work) (recipe.Recipe, error) {
	name, remembered := w.named()
	if remembered {
		if r, ok := b.checked.Get(name); ok {
			return r, nil
		}
	}
	r, err := b.checkAnew(w)
	if err == nil && remembered {
		b.checked.Add(name, r)
	}
	return r, err
}

func (b *book) checkAnew(w Work) (recipe.Recipe, error) {
	var r recipe.Recipe
	switch {
	case w.Preset != "" && w.Recipe != nil:
		return r, wrong("BAD_RECIPE", fault.Field{Path: "preset", Message: "is given together with recipe; choose one"})
	case w.Preset != "":
		p, err := b.presets.Get(w.Preset)
		if err != nil {
			return r, err
		}
		r = p.Recipe
	case w.Recipe != nil:
		r = *w.Recipe
	}
	more, err := recipe.ParseNamed(w.Variants)
	if err != nil {
		return r, err
	}
	own := len(r.Variants)
	var fields []fault.Field
	for i, v := range more {
		if slices.ContainsFunc(r.Variants, func(o recipe.Variant) bool { return o.Name == v.Name }) {
			of := "the recipe"
			if w.Preset != "" {
				of = "preset " + w.Preset
			}
			fields = append(fields, fault.Field{Path: fmt.Sprintf("variants[%d].name", i), Message: fmt.Sprintf("%.80q is the name of a variant of %s already", v.Name, of)})
		}
	}
	if len(fields) > 0 {
		return r, badRecipe(fields)
	}
	r.Variants = append(slices.Clone(r.Variants), more...)
	return r, w.asWritten(own, badRecipe(r.Check()))
}

func badRecipe(fields []fault.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_RECIPE", Message: "the recipe is wrong", Fields: fields}
}

// asWritten leads what is wrong with the joined recipe, whose first variants are the preset's or the recipe's own, back to where the
// caller wrote it.
func (w Work) asWritten(own int, err error) error {
	f := fault.As(err)
	if f == nil {
		return err
	}
	for i, field := range f.Fields {
		index, rest, _ := strings.Cut(strings.TrimPrefix(field.Path, "variants["), "]")
		nth, numeric := strconv.Atoi(index)
		switch {
		case numeric == nil && nth >= own:
			f.Fields[i].Path = fmt.Sprintf("variants[%d]%s", nth-own, rest)
		case w.Preset != "":
			f.Fields[i].Path = "preset"
		case own > 0 || w.Recipe != nil:
			f.Fields[i].Path = "recipe." + field.Path
		}
	}
	return err
}

// resolve fills in every default for one original. What it gives is shared, and must not be changed.
func (b *book) resolve(w Work, p job.Picture) (recipe.Recipe, error) {
	r, err := b.check(w)
	if err != nil {
		return r, err
	}
	name, remembered := w.named()
	known := looked{name, r.Looked(source(p))}
	if remembered {
		if r, ok := b.resolved.Get(known); ok {
			return r, nil
		}
	}
	own := len(r.Variants) - len(w.Variants)
	if r, err = r.Resolve(source(p)); err == nil && remembered {
		b.resolved.Add(known, r)
	}
	return r, w.asWritten(own, err)
}

func source(p job.Picture) recipe.Source {
	return recipe.Source{Format: p.Format, HasAlpha: p.HasAlpha, Pages: p.Pages, Width: p.Width, Height: p.Height, Bytes: p.Size}
}
