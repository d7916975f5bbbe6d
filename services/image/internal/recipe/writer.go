package recipe

import (
	"encoding/json"

	lru "github.com/hashicorp/golang-lru/v2"
)

const mostWritten = 1000 // recipes that are remembered

// Writer writes recipes as JSON and remembers what it wrote lately of those that jobs share, which it knows again by where they stand in
// memory: what it was given must not be changed. It may be used concurrently.
type Writer struct{ wrote *lru.Cache[*Variant, writing] }

type writing struct {
	variants int
	text     string
}

// NewWriter makes a Writer.
func NewWriter() *Writer {
	wrote, _ := lru.New[*Variant, writing](mostWritten) // its only error is a size below 1
	return &Writer{wrote}
}

// Write gives the text from which a Reader reads an equal recipe.
func (w *Writer) Write(r Recipe) (string, error) {
	if len(r.Variants) == 0 {
		return w.write(r)
	}
	if known, ok := w.wrote.Get(&r.Variants[0]); ok && known.variants == len(r.Variants) {
		return known.text, nil
	}
	text, err := w.write(r)
	if err == nil {
		w.wrote.Add(&r.Variants[0], writing{len(r.Variants), text})
	}
	return text, err
}

func (w *Writer) write(r Recipe) (string, error) {
	b, err := json.Marshal(r)
	return string(b), err
}
