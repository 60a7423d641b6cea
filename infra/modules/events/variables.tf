variable "prefix" {
  description = "What the names of all resources begin with; BELFRY_AWS_PREFIX of the services."
  type        = string
  default     = "belfry"
}

variable "events_queue_arn" {
  description = "ARN of the events queue: queue_arns[\"events\"] of the module queues."
  type        = string
}

variable "events_queue_url" {
  description = "URL of the events queue: queue_urls[\"events\"] of the module queues."
  type        = string
}

variable "events_dead_letter_queue_arn" {
  description = "ARN of its dead-letter queue, which also takes what SNS cannot deliver: dead_letter_queue_arns[\"events\"] of the module queues."
  type        = string
}

variable "events_dead_letter_queue_url" {
  description = "URL of its dead-letter queue: dead_letter_queue_urls[\"events\"] of the module queues."
  type        = string
}

variable "kms_key_id" {
  description = "KMS key of the topics' messages at rest. By default the account's own for SNS, which publishers of other accounts and AWS services such as EventBridge cannot use: give a key of yours for them."
  type        = string
  default     = "alias/aws/sns"
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
