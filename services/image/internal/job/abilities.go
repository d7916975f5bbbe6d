package job

// Abilities is what a node can do, and may.
type Abilities struct {
	Library   string   // and its version
	Formats   []Format // every one that is known, ordered by name
	Fonts     []string // families, ordered
	Limits    map[string]int64
	Isolation string // where pictures are decoded: "none" or "process"
}

// Format is what can be done with one.
type Format struct {
	Name        string
	ContentType string
	Read        bool
	Written     bool
	Animated    bool   // animations are kept
	Reason      string // why it is not read, or not written
}
