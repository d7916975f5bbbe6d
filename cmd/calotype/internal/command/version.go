package command

import "calotype/kit/boot"

// version is what this binary was built as.
func version() string {
	v, commit := boot.Build()
	if commit == "" {
		return v
	}
	return v + " (" + commit + ")"
}
