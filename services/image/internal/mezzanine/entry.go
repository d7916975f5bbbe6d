package mezzanine

import (
	"bytes"
	"encoding/json"

	"calotype/services/image/internal/job"
)

// What is kept is a line that tells of the original, and the copy.

func write(original job.Picture, data []byte) ([]byte, error) {
	line, err := json.Marshal(original)
	if err != nil {
		return nil, err
	}
	return append(append(line, '\n'), data...), nil
}

func read(kept []byte) (original job.Picture, data []byte, ok bool) {
	line, data, ok := bytes.Cut(kept, []byte{'\n'})
	if !ok || json.Unmarshal(line, &original) != nil {
		return original, nil, false
	}
	return original, data, true
}
