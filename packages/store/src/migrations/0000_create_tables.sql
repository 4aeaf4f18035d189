CREATE SCHEMA IF NOT EXISTS "sluice";
--> statement-breakpoint
CREATE SEQUENCE "sluice"."event_sequence" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "sluice"."call_budgets" (
	"integration_id" uuid PRIMARY KEY NOT NULL,
	"calls_per_hour" integer DEFAULT 1000 NOT NULL,
	"blocked_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "sluice"."call_counts" (
	"integration_id" uuid NOT NULL,
	"minute" timestamp with time zone NOT NULL,
	"calls" integer NOT NULL,
	CONSTRAINT "call_counts_pkey" PRIMARY KEY("integration_id","minute")
);
--> statement-breakpoint
CREATE TABLE "sluice"."branches" (
	"repository_id" uuid NOT NULL,
	"name" text NOT NULL,
	"head_sha" text,
	"arrival_sequence" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "branches_pkey" PRIMARY KEY("repository_id","name")
);
--> statement-breakpoint
CREATE TABLE "sluice"."deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"integration_id" uuid NOT NULL,
	"request_id" text NOT NULL,
	"hook_id" text,
	"event_key" text NOT NULL,
	"attempt" integer NOT NULL,
	"secret_version" text NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	"outcome" text NOT NULL,
	"failure" jsonb,
	"body_bytes" integer NOT NULL,
	CONSTRAINT "deliveries_outcome_check" CHECK ("sluice"."deliveries"."outcome" IN ('events', 'no_events', 'unsupported', 'failed')),
	CONSTRAINT "deliveries_failure_check" CHECK (("sluice"."deliveries"."outcome" = 'failed') = ("sluice"."deliveries"."failure" IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE "sluice"."delivery_bodies" (
	"delivery_id" uuid PRIMARY KEY NOT NULL,
	"headers" jsonb NOT NULL,
	"body" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."events" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"delivery_id" uuid NOT NULL,
	"index" integer NOT NULL,
	"sequence" bigint NOT NULL,
	"kind" text NOT NULL,
	"event_key" text NOT NULL,
	"repository_id" uuid,
	"ref_kind" text,
	"ref_name" text,
	"change" text,
	"old_sha" text,
	"new_sha" text,
	"forced" boolean DEFAULT false NOT NULL,
	"branch_arrival" bigint,
	"facts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	"decided_at" timestamp with time zone,
	CONSTRAINT "events_kind_check" CHECK ("sluice"."events"."kind" IN ('push', 'unsupported')),
	CONSTRAINT "events_push_check" CHECK ("sluice"."events"."kind" <> 'push' OR ("sluice"."events"."repository_id" IS NOT NULL AND "sluice"."events"."ref_kind" IS NOT NULL AND "sluice"."events"."ref_name" IS NOT NULL AND "sluice"."events"."change" IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE "sluice"."integrations" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"name" text NOT NULL,
	"slug" text NOT NULL,
	"space_id" uuid,
	"credential_kind" text NOT NULL,
	"credential_email" text,
	"credential_ciphertext" text,
	"webhook_secret_ciphertext" text,
	"previous_secret_ciphertext" text,
	"previous_secret_expires_at" timestamp with time zone,
	"checks_mode" text DEFAULT 'individual' NOT NULL,
	"labels" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "integrations_credential_kind_check" CHECK ("sluice"."integrations"."credential_kind" IN ('api_token', 'access_token')),
	CONSTRAINT "integrations_checks_mode_check" CHECK ("sluice"."integrations"."checks_mode" IN ('individual', 'aggregated', 'all'))
);
--> statement-breakpoint
CREATE TABLE "sluice"."spaces" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"name" text NOT NULL,
	"parent_id" uuid,
	"inherit_entities" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "spaces_name_key" UNIQUE("name"),
	CONSTRAINT "spaces_root_check" CHECK (("sluice"."spaces"."name" = 'root') = ("sluice"."spaces"."parent_id" IS NULL))
);
--> statement-breakpoint
CREATE TABLE "sluice"."repositories" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"integration_id" uuid NOT NULL,
	"uuid" text,
	"full_name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."targets" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"space_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"external_id" text,
	"integration_id" uuid,
	"repository_id" uuid NOT NULL,
	"tracked_branch" text NOT NULL,
	"project_root" text DEFAULT '' NOT NULL,
	"project_globs" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"labels" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"on_unknown_files" text,
	"allowed_fork_workspaces" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"deployers" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"coalesce" boolean DEFAULT false NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"removed_at" timestamp with time zone,
	CONSTRAINT "targets_kind_check" CHECK ("sluice"."targets"."kind" IN ('stack', 'module')),
	CONSTRAINT "targets_on_unknown_files_check" CHECK ("sluice"."targets"."on_unknown_files" IN ('run', 'hold', 'skip')),
	CONSTRAINT "targets_metadata_check" CHECK (octet_length("sluice"."targets"."metadata"::text) <= 16384)
);
--> statement-breakpoint
CREATE TABLE "sluice"."decisions" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"event_id" uuid NOT NULL,
	"target_id" uuid,
	"outcome" text NOT NULL,
	"run_type" text,
	"reason" text NOT NULL,
	"evidence" jsonb NOT NULL,
	"trigger_id" uuid,
	"decided_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "decisions_identity_key" UNIQUE NULLS NOT DISTINCT("event_id","target_id"),
	CONSTRAINT "decisions_outcome_check" CHECK ("sluice"."decisions"."outcome" IN ('trigger', 'hold', 'ignore'))
);
--> statement-breakpoint
CREATE TABLE "sluice"."trigger_history" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"trigger_id" uuid NOT NULL,
	"state" text NOT NULL,
	"actor" text NOT NULL,
	"note" text,
	"at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."triggers" (
	"id" uuid PRIMARY KEY DEFAULT uuidv7() NOT NULL,
	"target_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"event_id" uuid NOT NULL,
	"run_type" text NOT NULL,
	"commit_sha" text NOT NULL,
	"ref_name" text NOT NULL,
	"base_sha" text,
	"branch_arrival" bigint NOT NULL,
	"position" bigint NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"changes" jsonb NOT NULL,
	"module_version" text,
	"cancel_requested" boolean DEFAULT false NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"lease_token" uuid,
	"lease_holder" text,
	"lease_expires_at" timestamp with time zone,
	"run_id" text,
	"run_url" text,
	"message" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "triggers_identity_key" UNIQUE("target_id","run_type","commit_sha","branch_arrival"),
	CONSTRAINT "triggers_run_type_check" CHECK ("sluice"."triggers"."run_type" IN ('tracked', 'proposed')),
	CONSTRAINT "triggers_state_check" CHECK ("sluice"."triggers"."state" IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost', 'succeeded', 'failed', 'canceled', 'superseded')),
	CONSTRAINT "triggers_commit_sha_check" CHECK ("sluice"."triggers"."commit_sha" ~ '^[0-9a-f]{40}$')
);
--> statement-breakpoint
ALTER TABLE "sluice"."call_budgets" ADD CONSTRAINT "call_budgets_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."call_counts" ADD CONSTRAINT "call_counts_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."branches" ADD CONSTRAINT "branches_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."deliveries" ADD CONSTRAINT "deliveries_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."delivery_bodies" ADD CONSTRAINT "delivery_bodies_delivery_id_deliveries_id_fk" FOREIGN KEY ("delivery_id") REFERENCES "sluice"."deliveries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD CONSTRAINT "events_delivery_id_deliveries_id_fk" FOREIGN KEY ("delivery_id") REFERENCES "sluice"."deliveries"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD CONSTRAINT "events_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."integrations" ADD CONSTRAINT "integrations_space_id_spaces_id_fk" FOREIGN KEY ("space_id") REFERENCES "sluice"."spaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."spaces" ADD CONSTRAINT "spaces_parent_id_spaces_id_fk" FOREIGN KEY ("parent_id") REFERENCES "sluice"."spaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."repositories" ADD CONSTRAINT "repositories_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."targets" ADD CONSTRAINT "targets_space_id_spaces_id_fk" FOREIGN KEY ("space_id") REFERENCES "sluice"."spaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."targets" ADD CONSTRAINT "targets_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "sluice"."integrations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."targets" ADD CONSTRAINT "targets_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."decisions" ADD CONSTRAINT "decisions_event_id_events_id_fk" FOREIGN KEY ("event_id") REFERENCES "sluice"."events"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."decisions" ADD CONSTRAINT "decisions_target_id_targets_id_fk" FOREIGN KEY ("target_id") REFERENCES "sluice"."targets"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."decisions" ADD CONSTRAINT "decisions_trigger_id_triggers_id_fk" FOREIGN KEY ("trigger_id") REFERENCES "sluice"."triggers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."trigger_history" ADD CONSTRAINT "trigger_history_trigger_id_triggers_id_fk" FOREIGN KEY ("trigger_id") REFERENCES "sluice"."triggers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ADD CONSTRAINT "triggers_target_id_targets_id_fk" FOREIGN KEY ("target_id") REFERENCES "sluice"."targets"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ADD CONSTRAINT "triggers_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ADD CONSTRAINT "triggers_event_id_events_id_fk" FOREIGN KEY ("event_id") REFERENCES "sluice"."events"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "deliveries_identity_key" ON "sluice"."deliveries" USING btree ("integration_id","request_id");--> statement-breakpoint
CREATE INDEX "deliveries_recorded_at_idx" ON "sluice"."deliveries" USING btree ("recorded_at");--> statement-breakpoint
CREATE UNIQUE INDEX "events_identity_key" ON "sluice"."events" USING btree ("delivery_id","index");--> statement-breakpoint
CREATE INDEX "events_undecided_idx" ON "sluice"."events" USING btree ("repository_id","ref_name","sequence") WHERE "sluice"."events"."decided_at" IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "integrations_name_key" ON "sluice"."integrations" USING btree ("name") WHERE "sluice"."integrations"."deleted_at" IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "integrations_slug_key" ON "sluice"."integrations" USING btree ("slug") WHERE "sluice"."integrations"."deleted_at" IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "integrations_default_key" ON "sluice"."integrations" USING btree (("space_id" IS NULL)) WHERE "sluice"."integrations"."space_id" IS NULL AND "sluice"."integrations"."deleted_at" IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "repositories_uuid_key" ON "sluice"."repositories" USING btree ("integration_id","uuid");--> statement-breakpoint
CREATE UNIQUE INDEX "repositories_unseen_name_key" ON "sluice"."repositories" USING btree ("integration_id",lower("full_name")) WHERE "sluice"."repositories"."uuid" IS NULL;--> statement-breakpoint
CREATE INDEX "repositories_name_idx" ON "sluice"."repositories" USING btree ("integration_id",lower("full_name"));--> statement-breakpoint
CREATE UNIQUE INDEX "targets_name_key" ON "sluice"."targets" USING btree ("space_id","kind","name") WHERE "sluice"."targets"."removed_at" IS NULL;--> statement-breakpoint
CREATE INDEX "targets_repository_idx" ON "sluice"."targets" USING btree ("repository_id") WHERE "sluice"."targets"."removed_at" IS NULL;--> statement-breakpoint
CREATE INDEX "decisions_target_idx" ON "sluice"."decisions" USING btree ("target_id","decided_at");--> statement-breakpoint
CREATE UNIQUE INDEX "decisions_trigger_key" ON "sluice"."decisions" USING btree ("trigger_id") WHERE "sluice"."decisions"."outcome" = 'trigger';--> statement-breakpoint
CREATE INDEX "trigger_history_trigger_idx" ON "sluice"."trigger_history" USING btree ("trigger_id","at");--> statement-breakpoint
CREATE INDEX "triggers_claim_idx" ON "sluice"."triggers" USING btree (("run_type" = 'tracked') DESC,"position","id") WHERE "sluice"."triggers"."state" IN ('queued', 'claimed');--> statement-breakpoint
CREATE INDEX "triggers_tracked_open_idx" ON "sluice"."triggers" USING btree ("target_id","position") WHERE "sluice"."triggers"."run_type" = 'tracked' AND "sluice"."triggers"."state" IN ('blocked', 'queued', 'claimed', 'running', 'waiting', 'lost');--> statement-breakpoint
CREATE INDEX "triggers_target_idx" ON "sluice"."triggers" USING btree ("target_id","run_type","position");--> statement-breakpoint
CREATE INDEX "triggers_lease_idx" ON "sluice"."triggers" USING btree ("lease_expires_at") WHERE "sluice"."triggers"."state" IN ('claimed', 'running');--> statement-breakpoint
CREATE INDEX "triggers_event_idx" ON "sluice"."triggers" USING btree ("event_id");--> statement-breakpoint
INSERT INTO "sluice"."spaces" ("name") VALUES ('root');
--> statement-breakpoint
CREATE FUNCTION "sluice"."notify_integrations_changed"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('sluice_integrations', '');
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "integrations_changed" AFTER INSERT OR UPDATE OR DELETE ON "sluice"."integrations" FOR EACH STATEMENT EXECUTE FUNCTION "sluice"."notify_integrations_changed"();
