// Package replay walks dead letters through the whole house in one process:
// SQLite, workers, deliver, drain, and the room of dead letters itself.
package replay
