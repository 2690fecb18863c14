//! The door for agents: the Model Context Protocol, over standard input or HTTP. Everything is read, nothing is done.

use std::sync::Arc;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, ServerCapabilities, ServerConfig, Tool as Described, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::board::Board;
use super::tools::{TOOLS, fenced, shorten};
use crate::columns::document;

/// What a client is told of the server.
const ABOUT: &str = "Watches the locks, nodes, messages and tasks of a fleet of coding agents. Ask who_holds before you wait for a lock, \
    and why_blocked when you do not get on. Nothing here changes anything; releasing a lock is a person's decision.";

/// What can be read as a whole.
const RESOURCES: [(&str, &str, Option<&str>); 2] = [
    ("lockkeeper://snapshot", "everything that is known of the meshes now", None),
    ("lockkeeper://findings", "what is wrong now, the worst first", Some("findings")),
];

/// Answers from what is known.
#[derive(Clone)]
pub struct Door {
    board: Arc<Board>,
}

impl Door {
    /// A door to what a board shows.
    pub fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    /// The same over HTTP, without sessions. Where a token guards it, it may be called by any name.
    pub fn over_http(board: Arc<Board>, guarded: bool) -> StreamableHttpService<Self, NeverSessionManager> {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(64 << 10)
            .enforce_origin_validation();
        let config = if guarded { config.disable_allowed_hosts() } else { config };
        StreamableHttpService::new(move || Ok(Self::new(board.clone())), Arc::default(), config)
    }
}

impl ServerHandler for Door {
    fn get_info(&self) -> ServerConfig {
        let can = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let mut info = ServerConfig::new(can);
        info.server_info.name = "lockkeeper".into();
        info.server_info.version = env!("CARGO_PKG_VERSION").into();
        info.instructions = Some(ABOUT.into());
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let described = TOOLS.iter().map(|tool| {
            let mut described = Described::new(tool.name, tool.about, tool.schema());
            described.title = Some(tool.title.into());
            // It reads, changes nothing, and may be asked again.
            described.annotations = Some(ToolAnnotations::from_raw(
                Some(tool.title.into()),
                Some(true),
                Some(false),
                Some(true),
                Some(false),
            ));
            described
        });
        Ok(ListToolsResult::with_all_items(described.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = TOOLS.iter().find(|tool| tool.name == request.name) else {
            let known: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
            return Err(ErrorData::invalid_params(
                format!("there is no such tool; there is {}", known.join(", ")),
                None,
            ));
        };
        let result = match tool.call(&self.board, &request.arguments.unwrap_or_default()) {
            // As text alone: a structured answer would stand outside of the fence.
            Ok(answer) => CallToolResult::success(vec![ContentBlock::text(fenced(&answer))]),
            Err(why) => CallToolResult::error(vec![ContentBlock::text(why)]),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let each = RESOURCES.iter().map(|(uri, about, _)| {
            let mut resource = Resource::new(*uri, uri.trim_start_matches("lockkeeper://"));
            resource.description = Some((*about).into());
            resource.mime_type = Some("text/plain".into());
            resource
        });
        Ok(ListResourcesResult::with_all_items(each.collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some((uri, _, part)) = RESOURCES.iter().find(|(uri, ..)| *uri == request.uri) else {
            return Err(ErrorData::resource_not_found("there is no such resource", None));
        };
        let seen: Vec<_> = self.board.all().into_iter().flatten().collect();
        let document = document::snapshots(seen.iter().map(|seen| &*seen.snapshot), *part);
        let mut document = serde_json::to_value(document).unwrap_or_default();
        shorten(&mut document);
        Ok(ReadResourceResult::new(vec![ResourceContents::text(fenced(&document), *uri)]).into())
    }
}

/// How common clients are told of it.
#[must_use]
pub fn registration(program: &str) -> String {
    format!(
        "lockkeeper answers agents over the Model Context Protocol. It only reads.\n\n\
        Claude Code:     claude mcp add lockkeeper -- {program} mcp --stdio\n\
        Codex:           codex mcp add lockkeeper -- {program} mcp --stdio\n\
        Others (JSON):\n\n{{\n  \"mcpServers\": {{\n    \"lockkeeper\": {{ \"command\": \"{program}\", \"args\": [\"mcp\", \"--stdio\"] }}\n  }}\n}}\n\n\
        Places are named as for the dashboard, e.g. {program} mcp --stdio --db PATH.\n\
        Over HTTP: {program} serve, then http://127.0.0.1:9868/mcp (docs/service.md).\n"
    )
}
