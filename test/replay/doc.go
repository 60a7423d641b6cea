// Package replay walks dead letters through the whole house in one process:
// SQLite or the stand-ins for AWS, workers, deliver, drain, and the room of dead
// letters itself.
package replay
