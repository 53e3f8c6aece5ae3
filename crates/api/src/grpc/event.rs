//! `omni.v1.EventService`.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use omni_events::{EventType, Payload};
use omni_proto::{
    EventPayload, GetEventRequest, GetEventResponse, ListEventPayloadsRequest,
    ListEventPayloadsResponse, ListEventsRequest, ListEventsResponse, Order as ProtoOrder,
    SubscribeEventsRequest, SubscribeEventsResponse, TriggerEventRequest, TriggerEventResponse,
    event_service_server::EventService,
};
use tonic::{Request, Response, Status};

use super::{Answer, Service, convert};
use crate::{
    body,
    call::Call,
    documents::Kept,
    operations::{
        events::{self, EventQuery, Order, TriggerBody},
        tail::{self, Follow},
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
            sequence: triggered.sequence,
        });
        if let Ok(id) = correlation_id.parse() {
            response.metadata_mut().insert("x-correlation-id", id);
        }
        Ok(response)
    }

    async fn get(&self, request: Request<GetEventRequest>) -> Answer<GetEventResponse> {
        let call = Call::of(&request)?;
        let stored = events::get(&self.0, &call, &request.get_ref().id).await?;
        Ok(Response::new(GetEventResponse { event: Some(convert::event(stored)) }))
    }

    async fn list(&self, request: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        let call = Call::of(&request)?;
        let page = events::list(&self.0, &call, event_query(request.into_inner())?).await?;
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
            channel_type: convert::given(request.channel_type),
            instance_id: convert::given(request.instance_id),
            after: request.after_sequence,
        };
        let events = tail::follow(self.0.clone(), &call, follow).await?;
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
        body: kept.body,
        created_at: Some(convert::timestamp(kept.created_at)),
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

fn event_query(request: ListEventsRequest) -> Result<EventQuery, Problem> {
    let order = ProtoOrder::try_from(request.order)
        .map_err(|_| Problem::field("/order", "this version does not know the value"))?;
    Ok(EventQuery {
        types: request.types,
        source: convert::given(request.source),
        channel_type: convert::given(request.channel_type),
        instance_id: convert::given(request.instance_id),
        correlation_id: convert::given(request.correlation_id),
        provider_event_id: convert::given(request.provider_event_id),
        status: convert::given(request.status),
        direction: convert::direction(request.direction)?,
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
