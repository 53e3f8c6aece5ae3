//! `omni.v1.EventService`.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use omni_events::{CloudEvent, EventType, Payload};
use omni_proto::{
    CancelEventRequest, CancelEventResponse, EventPayload, ExplainEventRequest,
    ExplainEventResponse, GetEventRequest, GetEventResponse, ListEventPayloadsRequest,
    ListEventPayloadsResponse, ListEventsRequest, ListEventsResponse, Order as ProtoOrder,
    PublishEventsRequest, PublishEventsResponse, PublishedEvent, SubscribeEventsRequest,
    SubscribeEventsResponse, TraceEventRequest, TraceEventResponse, TriggerEventRequest,
    TriggerEventResponse, event_service_server::EventService,
};
use tonic::{Request, Response, Status};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    documents::Kept,
    operations::{
        captures,
        events::{self, EventQuery, Order, TriggerBody},
        explain::{self, ExplainQuery},
        publish::{self, Form, Publication},
        scheduled::{self, Found},
        tail::{self, Follow},
        trace,
    },
    problem::Problem,
};

type Following = Pin<Box<dyn Stream<Item = Result<SubscribeEventsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl EventService for Service {
    async fn trigger(&self, request: Request<TriggerEventRequest>) -> Answer<TriggerEventResponse> {
        let call = Call::of(&request)?;
        let body = trigger_body(request.into_inner())?;
        let (triggered, correlation_id) = events::trigger(&self.0, call, body).await?;
        let mut response = Response::new(TriggerEventResponse {
            event_id: triggered.event_id.to_string(),
            sequence: triggered.sequence.unwrap_or_default(),
            scheduled_at: triggered.scheduled_at.map(convert::timestamp),
        });
        if let Ok(id) = correlation_id.parse() {
            response.metadata_mut().insert("x-correlation-id", id);
        }
        Ok(response)
    }

    async fn publish(
        &self,
        request: Request<PublishEventsRequest>,
    ) -> Answer<PublishEventsResponse> {
        let call = Call::of(&request)?;
        let publication = publication(&call, request.into_inner())?;
        let (published, _) = publish::publish(&self.0, publication).await?;
        let items = published.items.into_iter().map(|event| PublishedEvent {
            event_id: event.event_id.to_string(),
            sequence: event.sequence,
        });
        Ok(Response::new(PublishEventsResponse { items: items.collect() }))
    }

    async fn get(&self, request: Request<GetEventRequest>) -> Answer<GetEventResponse> {
        let call = Call::of(&request)?;
        let event = match scheduled::find(&self.0, &call, &request.get_ref().id).await? {
            Found::Stored(stored) => {
                let expunged = captures::expunged(&self.0, &call, &stored).await?;
                convert::expunged(convert::event(*stored), expunged)
            }
            Found::Waiting(waiting) => convert::scheduled(*waiting),
        };
        Ok(Response::new(GetEventResponse { event: Some(event) }))
    }

    async fn trace(&self, request: Request<TraceEventRequest>) -> Answer<TraceEventResponse> {
        let call = Call::of(&request)?;
        let trace = trace::trace(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(TraceEventResponse { document: convert::json(&trace)? }))
    }

    async fn explain(&self, request: Request<ExplainEventRequest>) -> Answer<ExplainEventResponse> {
        let call = Call::of(&request)?;
        let ExplainEventRequest { id, automation } = request.into_inner();
        let query = ExplainQuery { automation: convert::given(automation) };
        let explained = explain::explain(&self.0, &call, &id, &query).await?;
        Ok(Response::new(ExplainEventResponse { document: convert::json(&explained)? }))
    }

    async fn cancel(&self, request: Request<CancelEventRequest>) -> Answer<CancelEventResponse> {
        let call = Call::of(&request)?;
        let cancelled = scheduled::cancel(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(CancelEventResponse { event: Some(convert::scheduled(cancelled)) }))
    }

    async fn list(&self, request: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        let call = Call::of(&request)?;
        let query = event_query(request.into_inner())?;
        if scheduled::is_asked(&query) {
            let page = scheduled::list(&self.0, &call, query).await?;
            return Ok(Response::new(ListEventsResponse {
                events: page.items.into_iter().map(convert::scheduled).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            }));
        }
        let page = events::list(&self.0, &call, query).await?;
        Ok(Response::new(ListEventsResponse {
            events: page.items.into_iter().map(convert::event).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    type SubscribeStream = Following;

    async fn subscribe(&self, request: Request<SubscribeEventsRequest>) -> Answer<Following> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let follow = Follow {
            types: request.types,
            source: convert::given(request.source),
            channel_type: convert::given(request.channel_type),
            instance_id: convert::given(request.instance_id),
            after: request.after_sequence,
        };
        let (_, events) = tail::follow(self.0.clone(), &call, follow).await?;
        let messages = events.map(|next| match next {
            Ok(stored) => Ok(SubscribeEventsResponse { event: Some(convert::event(stored)) }),
            Err(problem) => Err(problem.into()),
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn list_payloads(
        &self,
        request: Request<ListEventPayloadsRequest>,
    ) -> Answer<ListEventPayloadsResponse> {
        let call = Call::of(&request)?;
        let kept = events::payloads(&self.0, &call, &request.get_ref().event_id).await?;
        let payloads = kept.into_iter().map(payload).collect();
        Ok(Response::new(ListEventPayloadsResponse { payloads }))
    }
}

fn payload(kept: Kept) -> EventPayload {
    EventPayload {
        stage: kept.stage,
        content_type: kept.content_type,
        headers: kept.headers.into(),
        body: kept.body.unwrap_or_default(),
        created_at: Some(convert::timestamp(kept.created_at)),
        part: kept.part,
        size: kept.size,
        expires_at: kept.expires_at.map(convert::timestamp),
        deleted_at: kept.deleted_at.map(convert::timestamp),
        deleted_reason: kept.deleted_reason.unwrap_or_default(),
        left_out: kept.left_out,
    }
}

fn trigger_body(request: TriggerEventRequest) -> Result<TriggerBody, Problem> {
    let payload =
        if request.payload.is_empty() { Payload::default() } else { body::json(request.payload)? };
    let metadata = match request.metadata {
        empty if empty.is_empty() => omni_sources::manual::Metadata::default(),
        text => body::parse(text)?,
    };
    Ok(TriggerBody {
        event_type: EventType::parse(&request.event_type)
            .map_err(|error| Problem::field("/eventType", error.to_string()))?,
        payload,
        metadata,
        priority: convert::priority(request.priority)?,
        scheduled_at: convert::time("/scheduledAt", request.scheduled_at)?,
    })
}

fn publication(call: &Call, request: PublishEventsRequest) -> Result<Publication, Problem> {
    let PublishEventsRequest { events, cloud_events } = request;
    publish::check_count(events.len() + cloud_events.len())?;
    if !events.is_empty() && !cloud_events.is_empty() {
        let reason = "there are `events`, too; send one kind in each call";
        return Err(Problem::field("/cloudEvents", reason));
    }
    if cloud_events.is_empty() {
        return Publication::triggers(call, events.into_iter().map(trigger_body));
    }
    let drafts = cloud_events.into_iter().map(|text| {
        let text = body::json(text)?;
        let event = CloudEvent::from_json(text.as_bytes());
        publish::cloud_event(call, Form::CloudEvent, event, (None, text.as_bytes()))
    });
    Ok(Publication::batch(Form::CloudEvent, drafts.collect()))
}

fn event_query(request: ListEventsRequest) -> Result<EventQuery, Problem> {
    let order = ProtoOrder::try_from(request.order)
        .map_err(|_| Problem::field("/order", "this version does not know the value"))?;
    Ok(EventQuery {
        types: request.types,
        source: convert::given(request.source),
        channel_type: convert::given(request.channel_type),
        instance_id: convert::given(request.instance_id),
        identity_id: convert::filter_id("/identityId", &request.identity_id)?,
        correlation_id: convert::given(request.correlation_id),
        causation_id: convert::filter_id("/causationId", &request.causation_id)?,
        provider: convert::given(request.provider),
        provider_event_id: convert::given(request.provider_event_id),
        status: convert::given(request.status),
        direction: convert::direction(request.direction)?,
        content_type: convert::given(request.content_type),
        q: convert::given(request.q),
        from: convert::time("/from", request.from)?,
        to: convert::time("/to", request.to)?,
        order: match order {
            ProtoOrder::Unspecified => None,
            ProtoOrder::Ascending => Some(Order::Asc),
            ProtoOrder::Descending => Some(Order::Desc),
        },
        limit: convert::limit(request.limit),
        cursor: convert::given(request.cursor),
    })
}
