package recipe

import (
	"encoding/json"
	"sync"
)

const mostRead = 1000 // recipes that are remembered

// Reader reads recipes from JSON and remembers what it read lately: of many jobs few have a recipe of their own. What it gives is
// shared, and must not be changed. Its zero value is ready, and may be used concurrently.
type Reader struct {
	mu   sync.Mutex
	read map[string]Recipe
}

// Read gives the recipe that text says.
func (r *Reader) Read(text []byte) (Recipe, error) {
	r.mu.Lock()
	known, ok := r.read[string(text)]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	var fresh Recipe
	if err := json.Unmarshal(text, &fresh); err != nil {
		return Recipe{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read == nil || len(r.read) >= mostRead {
		r.read = map[string]Recipe{}
	}
	r.read[string(text)] = fresh
	return fresh, nil
}
