variable "prefix" {
  description = "What the names of all resources begin with; BELFRY_AWS_PREFIX of the services."
  type        = string
  default     = "belfry"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,26}[a-z0-9])?$", var.prefix))
    error_message = "The prefix must be 1 to 28 lower-case letters, digits and hyphens, and begin and end with a letter or digit."
  }
}

variable "kms_key_id" {
  description = "KMS key of the messages at rest. By default SQS's own key (SSE-SQS), which is free and needs no permissions. With a key of yours, the services and SNS need kms:GenerateDataKey and kms:Decrypt on it."
  type        = string
  default     = null
}

variable "alarm_actions" {
  description = "ARNs that are told when an alarm goes off and when it is over, such as an SNS topic of your on-call rotation."
  type        = list(string)
  default     = []
}

variable "age_alarm_seconds" {
  description = "After how long waiting a queue's alarm goes off, by the queue's name without prefix. Queues that are not named have the module's defaults: 60 for deliveries-high, 300 for events and notifications, 3600 for the others."
  type        = map(number)
  default     = {}
}

variable "dead_letter_age_alarm_days" {
  description = "How old a dead letter may become, in days, before an alarm goes off. It is lost after 14."
  type        = number
  default     = 7
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
