CREATE TABLE "sluice"."commit_links" (
	"repository_id" uuid NOT NULL,
	"commit_sha" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"ask_at" timestamp with time zone,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "commit_links_pkey" PRIMARY KEY("repository_id","commit_sha")
);
--> statement-breakpoint
CREATE TABLE "sluice"."commit_pull_requests" (
	"repository_id" uuid NOT NULL,
	"commit_sha" text NOT NULL,
	"number" integer NOT NULL,
	"source" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "commit_pull_requests_pkey" PRIMARY KEY("repository_id","commit_sha","number"),
	CONSTRAINT "commit_pull_requests_source_check" CHECK ("sluice"."commit_pull_requests"."source" IN ('event', 'bitbucket', 'branch'))
);
--> statement-breakpoint
CREATE TABLE "sluice"."pull_requests" (
	"repository_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"title" text NOT NULL,
	"state" text NOT NULL,
	"is_draft" boolean,
	"author" jsonb,
	"url" text,
	"created_on" timestamp with time zone,
	"updated_on" timestamp with time zone NOT NULL,
	"source_repository_id" uuid,
	"source_branch" text NOT NULL,
	"source_sha" text,
	"destination_branch" text NOT NULL,
	"destination_sha" text,
	"merge_sha" text,
	"reviews" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"head_arrival" bigint NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "pull_requests_pkey" PRIMARY KEY("repository_id","number"),
	CONSTRAINT "pull_requests_number_check" CHECK ("sluice"."pull_requests"."number" > 0)
);
--> statement-breakpoint
ALTER TABLE "sluice"."events" DROP CONSTRAINT "events_kind_check";--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD COLUMN "action" text;--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD COLUMN "pull_request_number" integer;--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD COLUMN "source_repository_id" uuid;--> statement-breakpoint
ALTER TABLE "sluice"."repositories" ADD COLUMN "commit_links" text;--> statement-breakpoint
ALTER TABLE "sluice"."repositories" ADD COLUMN "commit_links_checked_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "sluice"."targets" ADD COLUMN "module_version_source" text;--> statement-breakpoint
UPDATE "sluice"."targets" SET "module_version_source" = 'file' WHERE "kind" = 'module';--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ADD COLUMN "source_repository_id" uuid;--> statement-breakpoint
UPDATE "sluice"."triggers" SET "source_repository_id" = "repository_id";--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ALTER COLUMN "source_repository_id" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ADD COLUMN "awaits_push" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."commit_links" ADD CONSTRAINT "commit_links_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."commit_pull_requests" ADD CONSTRAINT "commit_pull_requests_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."pull_requests" ADD CONSTRAINT "pull_requests_repository_id_repositories_id_fk" FOREIGN KEY ("repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."pull_requests" ADD CONSTRAINT "pull_requests_source_repository_id_repositories_id_fk" FOREIGN KEY ("source_repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "commit_links_ask_at_idx" ON "sluice"."commit_links" USING btree ("ask_at") WHERE "sluice"."commit_links"."ask_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "commit_pull_requests_number_idx" ON "sluice"."commit_pull_requests" USING btree ("repository_id","number");--> statement-breakpoint
CREATE INDEX "pull_requests_source_idx" ON "sluice"."pull_requests" USING btree ("source_repository_id","source_branch");--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD CONSTRAINT "events_source_repository_id_repositories_id_fk" FOREIGN KEY ("source_repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sluice"."triggers" ADD CONSTRAINT "triggers_source_repository_id_repositories_id_fk" FOREIGN KEY ("source_repository_id") REFERENCES "sluice"."repositories"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_pull_request_idx" ON "sluice"."events" USING btree ("repository_id","pull_request_number","sequence") WHERE "sluice"."events"."pull_request_number" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "triggers_branch_open_idx" ON "sluice"."triggers" USING btree ("source_repository_id","ref_name") WHERE "sluice"."triggers"."run_type" = 'proposed' AND "sluice"."triggers"."state" IN ('blocked', 'queued', 'claimed', 'running', 'waiting');--> statement-breakpoint
CREATE INDEX "triggers_awaiting_push_idx" ON "sluice"."triggers" USING btree ("source_repository_id","ref_name") WHERE "sluice"."triggers"."awaits_push";--> statement-breakpoint
CREATE UNIQUE INDEX "triggers_module_version_key" ON "sluice"."triggers" USING btree ("target_id","module_version") WHERE "sluice"."triggers"."module_version" IS NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD CONSTRAINT "events_pull_request_check" CHECK ("sluice"."events"."kind" <> 'pull_request' OR ("sluice"."events"."repository_id" IS NOT NULL AND "sluice"."events"."action" IS NOT NULL AND "sluice"."events"."pull_request_number" IS NOT NULL));--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD CONSTRAINT "events_kind_check" CHECK ("sluice"."events"."kind" IN ('push', 'pull_request', 'unsupported'));--> statement-breakpoint
ALTER TABLE "sluice"."repositories" ADD CONSTRAINT "repositories_commit_links_check" CHECK ("sluice"."repositories"."commit_links" IN ('available', 'not_installed'));--> statement-breakpoint
ALTER TABLE "sluice"."targets" ADD CONSTRAINT "targets_module_version_source_check" CHECK ("sluice"."targets"."module_version_source" IN ('tag', 'file'));