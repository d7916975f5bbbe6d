package job

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// Told is a report on its way, with the headers of its trace.
type Told struct {
	Report  Report            `json:"report"`
	Headers map[string]string `json:"headers,omitempty"`
}

// ReportsMessage puts what is told at the same time into one message, which costs the queue no more than one report does.
func ReportsMessage(told ...Told) (Message, error) {
	if len(told) == 1 {
		body, err := json.Marshal(told[0].Report)
		return Message{ID: told[0].Report.MessageID(), Headers: told[0].Headers, Body: body}, err
	}
	sum := sha256.New()
	for _, t := range told {
		sum.Write([]byte(t.Report.MessageID() + " ")) // others told together are another message
	}
	body, err := json.Marshal(together{told})
	return Message{ID: hex.EncodeToString(sum.Sum(nil)), Body: body}, err
}

type together struct {
	Told []Told `json:"told"`
}

// ReadReports takes a message apart.
func ReadReports(m Message) ([]Told, error) {
	var read struct {
		together
		Report
	}
	if err := json.Unmarshal(m.Body, &read); err != nil {
		return nil, err
	}
	told := read.Told
	if len(told) == 0 {
		told = []Told{{Report: read.Report, Headers: m.Headers}}
	}
	for _, t := range told {
		if t.Report.Job == "" {
			return nil, errors.New("a report names no job")
		}
	}
	return told, nil
}
