CREATE TABLE "sluice"."api_keys" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"digest" text NOT NULL,
	"role" text NOT NULL,
	"space_id" uuid NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_digest_key" UNIQUE("digest"),
	CONSTRAINT "api_keys_role_check" CHECK ("sluice"."api_keys"."role" IN ('read', 'write', 'admin', 'scheduler'))
);
--> statement-breakpoint
CREATE TABLE "sluice"."audit_log" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_key_id" uuid,
	"actor_name" text NOT NULL,
	"action" text NOT NULL,
	"subject_kind" text NOT NULL,
	"subject_id" uuid,
	"subject_name" text NOT NULL,
	"space_id" uuid,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"address" text,
	CONSTRAINT "audit_log_actor_kind_check" CHECK ("sluice"."audit_log"."actor_kind" IN ('api_key', 'bootstrap_key', 'command_line'))
);
--> statement-breakpoint
CREATE TABLE "sluice"."idempotency_keys" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"owner" text NOT NULL,
	"key" text NOT NULL,
	"request_digest" text NOT NULL,
	"status" integer NOT NULL,
	"body_ciphertext" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_identity_key" UNIQUE("owner","key")
);
--> statement-breakpoint
CREATE TABLE "sluice"."credential_health" (
	"integration_id" uuid PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"since" timestamp with time zone DEFAULT now() NOT NULL,
	"http_status" integer,
	"message" text,
	"checked_at" timestamp with time zone,
	"next_check_at" timestamp with time zone,
	"scopes" jsonb,
	CONSTRAINT "credential_health_state_check" CHECK ("sluice"."credential_health"."state" IN ('ok', 'refused'))
);
--> statement-breakpoint
CREATE TABLE "sluice"."repository_hooks" (
	"repository_id" uuid PRIMARY KEY NOT NULL,
	"checked_at" timestamp with time zone DEFAULT now() NOT NULL,
	"drift" jsonb NOT NULL,
	"unreadable" text
);
--> statement-breakpoint
ALTER TABLE "sluice"."integrations" ADD COLUMN "credential_expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "sluice"."api_keys" ADD CONSTRAINT "api_keys_space_id_spaces_id_fk" FOREIGN KEY ("space_id") REFERENCES "sluice"."spaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."credential_health" ADD CONSTRAINT "credential_health_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."repository_hooks" ADD CONSTRAINT "repository_hooks_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_name_key" ON "sluice"."api_keys" USING btree ("space_id","name") WHERE "sluice"."api_keys"."revoked_at" IS NULL;--> statement-breakpoint
CREATE INDEX "audit_log_space_idx" ON "sluice"."audit_log" USING btree ("space_id","id");--> statement-breakpoint
CREATE INDEX "audit_log_subject_idx" ON "sluice"."audit_log" USING btree ("subject_id","id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at_idx" ON "sluice"."idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "deliveries_integration_idx" ON "sluice"."deliveries" USING btree ("integration_id","recorded_at","id");--> statement-breakpoint
CREATE INDEX "events_repository_idx" ON "sluice"."events" USING btree ("repository_id","event_key","id");